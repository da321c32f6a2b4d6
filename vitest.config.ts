import { accessSync, constants, statfsSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

// Tests run on the sources: the '@holdfast/source' condition of each package's exports.
const conditions = ['@holdfast/source', 'module', 'node', 'development|production'];

/**
 * Each test has servers of its own, and they sync every write. A disk that others use keeps some of those waiting for a second,
 * which looks like a server that is away. So their folders are in memory, where there is room.
 */
function temporaryFolder(): Record<string, string> {
  const inMemory = '/dev/shm';
  try {
    accessSync(inMemory, constants.W_OK);
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize > 4e9 ? { TMPDIR: inMemory } : {};
  } catch {
    return {};
  }
}

// oxlint-disable-next-line import/no-default-export -- vitest reads its configuration from the default export
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      '{apps,packages}/*/{src,test}/**/*.test.ts',
      'scripts/*.test.mjs',
      '{bench,chaos,interleave}/src/**/*.test.ts',
      'e2e/**/*.test.ts',
    ],
    setupFiles: ['./vitest.setup.ts'],
    // Longer than anything in a test waits, so that it says itself what did not come.
    testTimeout: 240_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    // Tests mostly wait, for timers and for other processes.
    maxWorkers: 4,
    env: temporaryFolder(),
  },
});
