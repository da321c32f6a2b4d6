import type { BlobStore } from './blob-store.js';

/** Keeps bytes in memory, one exact buffer a file. */
export function memoryBlobs(): BlobStore {
  const blobs = new Map<string, Buffer>();
  return {
    keeps: true,
    open() {
      let chunks: Buffer[] = [];
      return {
        write(chunk) {
          chunks.push(chunk);
          return null;
        },
        finish(key) {
          // Received chunks are windows on larger socket buffers: the copy lets those go.
          blobs.set(key, Buffer.concat(chunks));
          chunks = [];
          return Promise.resolve(key);
        },
        abort() {
          chunks = [];
          return Promise.resolve();
        },
      };
    },
    read: (key) => Promise.resolve(blobs.get(key) ?? null),
    replace(key, bytes) {
      blobs.set(key, bytes);
      return Promise.resolve();
    },
    remove(key) {
      blobs.delete(key);
      return Promise.resolve();
    },
  };
}
