import { onTestFinished } from 'vitest';
import type { RunningApi } from './running-api.js';

export interface StatusEvent {
  event: string;
  id: string | undefined;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into events of any shape
  data: any;
}

/** A client of Server-Sent Events. */
export interface EventReader {
  response: Response;
  /** The next event; rejects when the stream has ended. Comments and `retry` are passed over. */
  next: () => Promise<StatusEvent>;
  /** Everything until the server ends the stream; rejects when it is cut instead. */
  rest: () => Promise<StatusEvent[]>;
  leave: () => void;
}

/** Follows one file; leaves when the test ends. */
export async function readEvents(
  api: Pick<RunningApi, 'request'>,
  id: string,
  headers: Record<string, string> = {},
): Promise<EventReader> {
  const leaving = new AbortController();
  onTestFinished(() => leaving.abort());
  const response = await api.request(`/api/media/${id}/events`, { headers, signal: leaving.signal });
  const events = parse(response.body ?? new ReadableStream());
  return {
    response,
    next: async () => {
      const { value, done } = await events.next();
      if (done === true) throw new Error('the stream of events has ended');
      return value;
    },
    rest: async () => {
      const left: StatusEvent[] = [];
      for await (const event of events) left.push(event);
      return left;
    },
    leave: () => leaving.abort(),
  };
}

async function* parse(body: ReadableStream<Uint8Array>): AsyncGenerator<StatusEvent, undefined> {
  let text = '';
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const event = field('event');
      if (event !== undefined) yield { event, id: field('id'), data: JSON.parse(field('data') ?? 'null') };
    }
  }
  return undefined;
}
