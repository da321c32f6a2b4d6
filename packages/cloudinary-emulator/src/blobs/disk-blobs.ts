import { createWriteStream, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BlobStore } from './blob-store.js';

/** Keeps bytes as files: `<directory>/bytes/<key>`; unfinished ones end in `.part`. */
export function diskBlobs(directory: string): BlobStore {
  const folder = join(directory, 'bytes');
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith('.part')) rmSync(join(folder, name));
  let opened = 0;
  return {
    keeps: true,
    open() {
      opened += 1;
      const path = join(folder, `${process.pid}-${opened}.part`);
      const file = createWriteStream(path);
      const closed = once(file, 'close');
      return {
        write(chunk) {
          return file.write(chunk) ? null : once(file, 'drain').then(() => undefined);
        },
        async finish(key) {
          file.end();
          await closed;
          await rename(path, join(folder, key));
          return key;
        },
        async abort() {
          file.destroy();
          await closed;
          await rm(path, { force: true });
        },
      };
    },
    async read(key) {
      try {
        return await readFile(join(folder, key));
      } catch {
        return null;
      }
    },
    replace: (key, bytes) => writeFile(join(folder, key), bytes),
    remove: (key) => rm(join(folder, key), { force: true }),
  };
}
