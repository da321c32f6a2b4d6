import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { driftActions, driftCodes, driftKinds } from '../src/sync/index.js';

it('has every word of a drift report in docs/sync.md, and no other code', async () => {
  const text = await readFile(new URL('../../../docs/sync.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## The drift report'), text.indexOf('## The budget of calls'));
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && line.includes('`'));
  const documented = rows.flatMap((row) => [...row.matchAll(/`([A-Z_]+)`/g)].map((match) => match[1] ?? ''));
  expect(documented.toSorted()).toEqual([...driftCodes].toSorted());
  expect(driftKinds.filter((kind) => !rows.some((row) => row.startsWith(`| ${kind} |`)))).toEqual([]);
  expect(driftActions.filter((action) => !section.includes(action))).toEqual([]);
});
