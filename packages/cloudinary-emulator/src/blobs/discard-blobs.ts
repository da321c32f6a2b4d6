import type { BlobStore } from './blob-store.js';

/** Keeps nothing: for benchmarks, where size and MD5 are enough. */
export function discardBlobs(): BlobStore {
  return {
    keeps: false,
    open: () => ({
      write: () => null,
      finish: () => Promise.resolve(null),
      abort: () => Promise.resolve(),
    }),
    read: () => Promise.resolve(null),
    replace: () => Promise.resolve(),
    remove: () => Promise.resolve(),
  };
}
