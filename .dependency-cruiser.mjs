// Which file may import which. Imports flow one way: apps -> shared features -> foundation. What folders may is in
// .dependency-cruiser.folders.mjs.
export const tests =
  '[.](test|contract)[.]ts$|^packages/[^/]+/(test|src/testing|src/[^/]+/testing)/|^apps/[^/]+/test/|^(bench|chaos|e2e|interleave)/';

const rules = [
  {
    name: 'no-cycle',
    comment: 'Files that need each other are one idea: join them, or move what both need below them.',
    from: {},
    // Types are gone when the program runs; folders may not form a cycle by types either.
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
  {
    name: 'apps-stay-apart',
    comment: 'What two apps need belongs to packages/shared.',
    from: { path: '^apps/([^/]+)/' },
    to: { path: '^apps/', pathNot: '^apps/$1/' },
  },
  {
    name: 'apps-are-run-not-imported',
    comment: 'Only the interleaving suite holds operations of both apps in one process.',
    from: { path: '^(bench|chaos|e2e)/' },
    to: { path: '^apps/' },
  },
  {
    name: 'packages-know-no-app',
    from: { path: '^packages/' },
    to: { path: '^apps/' },
  },
  {
    name: 'foundation-knows-no-feature',
    comment: 'errors, config, lifecycle and logging are what the features stand on.',
    from: { path: '^packages/foundation/' },
    to: { path: '^packages/', pathNot: '^packages/foundation/' },
  },
  {
    name: 'redis-knows-no-feature',
    comment: 'The features of packages/shared stand on redis.',
    from: { path: '^packages/shared/src/redis/', pathNot: tests },
    to: { path: '^packages/shared/src/', pathNot: '^packages/shared/src/redis/' },
  },
  {
    name: 'public-exports-only',
    comment:
      'Another package is imported as @holdfast/<package>/<feature>, never by a path into its sources.',
    from: { path: '^(apps|bench|chaos|e2e|interleave)/' },
    to: { path: '^packages/[^/]+/src/', pathNot: '/index[.]ts$' },
  },
  {
    name: 'features-meet-at-their-index',
    comment:
      'A feature of a package imports another one by its index.ts, and the Lua of its scripts by its lua.ts.',
    from: { path: '^packages/(foundation|shared)/src/([^/]+)/' },
    to: {
      path: '^packages/$1/src/[^/]+/',
      pathNot: ['^packages/$1/src/$2/', '^packages/$1/src/[^/]+/(index|lua)[.]ts$'],
    },
  },
  {
    name: 'testing-only-in-tests',
    comment: 'Test tools and the emulator never reach production.',
    from: { path: '^(apps|packages)/', pathNot: `${tests}|^packages/cloudinary-emulator/` },
    to: {
      path: [
        '^packages/shared/src/testing/',
        '^packages/shared/src/[^/]+/testing/',
        '^packages/cloudinary-emulator/',
      ],
    },
  },
  {
    name: 'declared-packages-only',
    comment: 'A production file imports only what its own package.json lists under dependencies.',
    from: { path: '^(apps|packages)/[^/]+/src/', pathNot: tests },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'everything-resolves',
    from: {},
    to: { couldNotResolve: true },
  },
];

export const options = {
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '^(bench|chaos|interleave|(apps|packages)/[^/]+)/dist/' },
  tsPreCompilationDeps: true,
  combinedDependencies: false,
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['@holdfast/source', 'import', 'node', 'default'],
    mainFields: ['module', 'main', 'types'],
  },
};

// oxlint-disable-next-line import/no-default-export -- dependency-cruiser reads its configuration from the default export
export default {
  forbidden: rules.map((rule) => ({ severity: 'error', ...rule })),
  options,
};
