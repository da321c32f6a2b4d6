import type { History } from '../history.js';
import { createRandom } from '@holdfast/shared/testing';
import { runEditClient } from './edit-client.js';
import { runUploadClient } from './upload-client.js';

export interface LoadOptions {
  seed: number;
  uploaders: number;
  editors: number;
  history: History;
  apis: readonly string[];
}

const UPLOADER_IDLE_MS = 250;
const EDITOR_IDLE_MS = 400;

/** Lets all clients work until they are stopped; each has its own source of chance. */
export function startLoad({ seed, uploaders, editors, history, apis }: LoadOptions): {
  stop(): Promise<void>;
} {
  const stopping = new AbortController();
  const pool: string[] = [];
  const common = (name: string) => ({
    name,
    history,
    apis,
    random: createRandom(seed).fork(name),
    stopping: stopping.signal,
  });
  const numbered = (count: number): number[] => Array.from({ length: count }, (_unused, index) => index + 1);
  const clients = [
    ...numbered(uploaders).map((number) =>
      runUploadClient({
        ...common(`uploader-${String(number)}`),
        idleMs: UPLOADER_IDLE_MS,
        onUploaded: (id) => void pool.push(id),
      }),
    ),
    ...numbered(editors).map((number) =>
      runEditClient({ ...common(`editor-${String(number)}`), pool, idleMs: EDITOR_IDLE_MS }),
    ),
  ];
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(clients);
    },
  };
}
