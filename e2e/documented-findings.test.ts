import { expect, it } from 'vitest';
import { operations, sourcesIn } from './harness/product-sources.js';

/**
 * A finding is written as a call with its code on a line, as an entry of a table of findings, or as an object with its severity; refusals
 * of Redis are rows that end with the seconds until another try.
 */
const FINDING =
  /\b(?:serious|warning|notice|severity)\(\n[^;]*?^ *'([A-Z_]+)',$|^ {2}([A-Z_]+): \{\s+severity: |\bcode: '([A-Z_]+)', severity|^ {2}\w+: \['.*, '([A-Z_]+)', \d+\],$/gm;

it('explains every finding in docs/operations.md, and none that there is not', async () => {
  const sources = await sourcesIn(
    'packages/foundation/src',
    'packages/shared/src',
    'apps/api/src',
    'apps/worker/src',
  );
  const codes = sources.flatMap((text) =>
    [...text.matchAll(FINDING)].map(([, ...found]) => found.find((code) => code !== undefined) ?? ''),
  );
  const docs = await operations();
  const explained = [...docs.matchAll(/^\| `([A-Z_]+)` \| (?:error|warning|notice)/gm)].map(
    ([, code = '']) => code,
  );
  expect(codes.length).toBeGreaterThan(10);
  expect(explained.toSorted()).toEqual([...new Set(codes)].toSorted());
});
