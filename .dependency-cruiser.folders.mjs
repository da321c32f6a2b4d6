// Which folder may need which. Without the tests: those stand on all of it, from wherever they lie.
import { options, tests } from './.dependency-cruiser.mjs';

// oxlint-disable-next-line import/no-default-export -- dependency-cruiser reads its configuration from the default export
export default {
  forbidden: [
    {
      name: 'no-feature-cycle',
      severity: 'error',
      comment: 'The folders in src form layers: move what both need below them, or hand it in from above.',
      scope: 'folder',
      // Files right in src, which put the folders together, are not counted. The emulator is one thing in a few folders.
      from: { path: '^(apps/[^/]+|packages/(foundation|shared))/src/[^/]+$' },
      to: { circular: true },
    },
  ],
  options: { ...options, exclude: { path: `${options.exclude.path}|${tests}` } },
};
