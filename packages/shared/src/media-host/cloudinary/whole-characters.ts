import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { IncomingMessage } from 'node:http';
import { z } from 'zod';

/** Node announces here each answer to a request of this process, before its body is read. */
const CHANNEL = 'http.client.response.finish';

const announcement = z.object({
  request: z.object({ agent: z.unknown() }),
  response: z.instanceof(IncomingMessage),
});

/**
 * The SDK makes text of each chunk of an answer by itself, and breaks characters that lie across two. So JSON answers to
 * agents that are `ours` are decoded here, over their chunks. Returns a function that ends it.
 */
export function keepCharactersWhole(ours: (agent: unknown) => boolean): () => void {
  const onAnswer = (message: unknown): void => {
    const { data } = announcement.safeParse(message);
    if (data === undefined || !ours(data.request.agent)) return;
    const { response } = data;
    // A file is bytes, also where the host, or what stands before it, calls it JSON: `ours` leaves those out.
    if (/\bjson\b/i.test(response.headers['content-type'] ?? '')) response.setEncoding('utf8');
  };
  subscribe(CHANNEL, onAnswer);
  return () => void unsubscribe(CHANNEL, onAnswer);
}
