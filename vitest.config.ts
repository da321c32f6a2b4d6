import { defineConfig } from 'vitest/config';

// Tests run on the sources: the '@holdfast/source' condition of each package's exports.
const conditions = ['@holdfast/source', 'module', 'node', 'development|production'];

// oxlint-disable-next-line import/no-default-export -- vitest reads its configuration from the default export
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      '{apps,packages}/*/{src,test}/**/*.test.ts',
      'scripts/*.test.mjs',
      'chaos/src/**/*.test.ts',
      'e2e/**/*.test.ts',
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
