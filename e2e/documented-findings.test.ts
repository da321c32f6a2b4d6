import { expect, it } from 'vitest';
import { operations, sourcesIn } from './harness/product-sources.js';

/** A finding is written as its code and its severity, or as an entry of a table of findings. */
const FINDING = /code: '([A-Z_]+)',\s+severity\b|^ {2}([A-Z_]+): \{\s+severity: /gm;

it('explains every finding in docs/operations.md, and none that there is not', async () => {
  const sources = await sourcesIn(
    'packages/foundation/src',
    'packages/shared/src',
    'apps/api/src',
    'apps/worker/src',
  );
  const codes = sources.flatMap((text) =>
    [...text.matchAll(FINDING)].map(([, inline, entry]) => inline ?? entry ?? ''),
  );
  const docs = await operations();
  const explained = [...docs.matchAll(/^\| `([A-Z_]+)` \| (?:error|warning|notice)/gm)].map(
    ([, code = '']) => code,
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(explained.toSorted()).toEqual([...new Set(codes)].toSorted());
});
