import { setTimeout as pause } from 'node:timers/promises';
import type { Acknowledged } from './audit.js';
import { aPng, type ApiClient } from './client.js';

export interface LoadAnswer {
  /** 0 where the connection was lost instead. */
  status: number;
  code: string | null;
  retryAfter: string | null;
  ms: number;
  /** The state of the media that was acknowledged. */
  media: string | null;
}

export interface UploadLoad {
  acknowledged: Acknowledged[];
  /** Every answer, in the order they came. */
  answers: LoadAnswer[];
  stop(): Promise<void>;
}

/** Careful clients that upload one file after the other, small and large, and rest a moment when they are refused. */
export function startUploads(clientOf: () => ApiClient, clients = 4): UploadLoad {
  const acknowledged: Acknowledged[] = [];
  const answers: LoadAnswer[] = [];
  const over = new AbortController();
  const one = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const data = aPng(answers.length % 5 === 0 ? 400_000 : 4_000);
      const startedAt = performance.now();
      const answer = await clientOf()
        .upload(data)
        .catch(() => null);
      const { status = 0, body } = answer ?? {};
      const taken = status === 201 || status === 202;
      answers.push({
        status,
        code: body?.code ?? null,
        retryAfter: answer?.headers.get('retry-after') ?? null,
        ms: performance.now() - startedAt,
        media: taken ? (body?.media.status ?? null) : null,
      });
      if (taken && body !== undefined) acknowledged.push({ id: body.media.id, data });
      else await pause(50);
    }
  };
  const running = Array.from({ length: clients }, one);
  return {
    acknowledged,
    answers,
    stop: async () => {
      over.abort();
      await Promise.all(running);
    },
  };
}
