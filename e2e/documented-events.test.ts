import { expect, it } from 'vitest';
import { operations, sourcesIn } from './harness/product-sources.js';

/** What is logged as a warning or an error, where its name stands in the call. */
const ALARM = /\.(?:warn|error)\(\s*'([a-z_]+\.[a-z_]+)'/g;
/** The first cell of a row of the table, which names events and nothing else. */
const ROW = /^\| ((?:`[a-z_]+\.[a-z_]+`(?:, )?)+) \|/gm;

const productSources = (): Promise<string[]> =>
  sourcesIn(
    'packages/foundation/src',
    'packages/shared/src',
    'apps/api/src',
    'apps/worker/src',
    'apps/launcher/src',
  );

async function explainedEvents(): Promise<string[]> {
  const rows = [...(await operations()).matchAll(ROW)].map(([, cell = '']) => cell);
  return rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name));
}

it('explains every warning and error of the log in docs/operations.md', async () => {
  const sources = await productSources();
  const logged = new Set(sources.flatMap((text) => [...text.matchAll(ALARM)].map(([, name = '']) => name)));
  const explained = new Set(await explainedEvents());
  expect(logged.size).toBeGreaterThan(50);
  expect([...logged].filter((name) => !explained.has(name)).toSorted()).toEqual([]);
});

it('explains no event in docs/operations.md that is never logged, and none twice', async () => {
  const all = (await productSources()).join('\n');
  const explained = await explainedEvents();
  expect(explained.filter((name) => !all.includes(`'${name}'`))).toEqual([]);
  expect(explained.filter((name, index) => explained.indexOf(name) !== index)).toEqual([]);
});
