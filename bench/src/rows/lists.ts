import { join } from 'node:path';
import { freePort, startRedisSandbox } from '@holdfast/shared/testing';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { median, spreadOf } from '../statistics.js';
import type { CleanUp } from '../stage/clean-up.js';
import { fillCatalog } from '../stage/fill-catalog.js';
import { temporaryFolder } from '../stage/holdfast.js';
import { repositoryFile, startProgram } from '../stage/program.js';

const SMALL = 10_000;
const BLOCKS = 10;
const CALLS = 40;

const pages = [
  { name: 'first page', query: '' },
  { name: 'oldest first', query: '?order=oldest' },
  { name: 'one filter (tag)', query: '?tag=tag-7' },
  { name: 'two filters (category, type)', query: '?category=category-3&type=image' },
  { name: 'deep page', query: '', deep: true },
] as const;

/** Pages of a large catalog against the same pages of a small one; an API process each, and no worker. */
export const lists: MeasureRow = async ({ large, quick }, cleanUp) => {
  const many = large ? 1_000_000 : 200_000;
  const small = await startCatalog(SMALL, cleanUp);
  const big = await startCatalog(many, cleanUp);
  const figures = [];
  for (const { name, query, ...kind } of pages) {
    const isDeep = 'deep' in kind;
    const [smallPage, bigPage] = [
      await addressOf(small, query, isDeep ? SMALL / 2 : 0),
      await addressOf(big, query, isDeep ? 50_000 : 0),
    ];
    const ours: number[] = [];
    const against: number[] = [];
    const ratios: number[] = [];
    for (let block = 0; block <= (quick ? 3 : BLOCKS); block += 1) {
      const [theirs, mine] = [await timeCalls(smallPage), await timeCalls(bigPage)];
      if (block === 0) continue;
      against.push(theirs);
      ours.push(mine);
      ratios.push(mine / theirs);
    }
    figures.push({
      what: `${name}, ${String(many)} records against ${String(SMALL)}`,
      ours: `${round(median(ours))} ms`,
      against: `${round(median(against))} ms`,
      value: median(ratios),
      unit: 'x' as const,
      spread: spreadOf(ratios),
      target: { atMost: 1.5 },
    });
  }
  return figures;
};

async function startCatalog(count: number, cleanUp: CleanUp): Promise<string> {
  const folder = await temporaryFolder(cleanUp);
  // Only read from: what it costs to write is not the question here.
  const redis = await startRedisSandbox(['--appendonly', 'no']);
  cleanUp.defer(() => redis.close());
  await fillCatalog(redis, count);
  const port = String(await freePort());
  const env = { REDIS_URL: redis.url, DATA_DIR: join(folder, 'data'), PORT: port };
  const api = await startProgram(repositoryFile('apps/api/dist/main.js'), env, folder, cleanUp);
  const url = `http://127.0.0.1:${port}`;
  await api.waitFor(`${url}/readyz`);
  return `${url}/api/media`;
}

/** The address of the page that begins after `skip` records. */
async function addressOf(url: string, query: string, skip: number): Promise<string> {
  let cursor = '';
  for (let seen = 0; seen < skip; seen += 100) {
    const answer = await fetch(`${url}?limit=100${cursor === '' ? '' : `&cursor=${cursor}`}`);
    ({ nextCursor: cursor } = (await answer.json()) as { nextCursor: string });
  }
  return cursor === '' ? `${url}${query}` : `${url}?cursor=${cursor}`;
}

/** Median of some calls in a row, in ms. */
async function timeCalls(address: string): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < CALLS; n += 1) {
    const start = performance.now();
    const answer = await fetch(address);
    const { items } = (await answer.json()) as { items: unknown[] };
    times.push(performance.now() - start);
    if (answer.status !== 200 || items.length !== 20)
      throw new Error(`${address} answered ${String(answer.status)} with ${String(items.length)} items`);
  }
  return median(times);
}
