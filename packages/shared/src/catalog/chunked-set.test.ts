import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { defineScript } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { chunkReads } from './chunk-reads.js';
import { chunkWrites } from './chunk-writes.js';
import { pageScript, sizesScript } from './index-scripts.js';
import { indexPrelude } from './index-prelude.js';

const MOST = 64;
const INDEX = '{t}:i:g:a:b {x}';
/** A name that holds what the other's chunks add to theirs. */
const NEIGHBOUR = '{t}:i:g:a';
const servers = ['redis-server', 'valkey-server'].filter(
  (name) => spawnSync(name, ['--version']).status === 0,
);

const addScript = defineScript(`${indexPrelude}${chunkWrites} add_entries(KEYS[2], ARGV, 1, #ARGV)`);
const removeScript = defineScript(`${indexPrelude}${chunkWrites} remove_entry(KEYS[2], ARGV[1], ARGV[2])`);
const absentScript = defineScript(`${indexPrelude}${chunkReads}
local absent = {}
each_absent(KEYS[2], ARGV, 1, #ARGV, function(place) absent[#absent + 1] = ARGV[place] end)
return absent`);

type Entry = readonly [score: number, member: string];

const order = (a: Entry, b: Entry): number =>
  a[0] - b[0] || Buffer.compare(Buffer.from(a[1]), Buffer.from(b[1]));
const numbered = (count: number, first = 0, everyMs = 250): Entry[] =>
  Array.from({ length: count }, (_, n) => [1_700_000_000_000 + (first + n) * everyMs, nameOf(first + n)]);

/** Locales order these otherwise than bytes do. */
function nameOf(n: number): string {
  return `${n % 2 === 0 ? 'a' : 'B'}${String(n)}`;
}

/** The same numbers for the same seed. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
function shuffled<T>(list: readonly T[], roll: (below: number) => number): T[] {
  return list
    .map((one) => [roll(1e9), one] as const)
    .toSorted((a, b) => a[0] - b[0])
    .map(([, one]) => one);
}

describe.each(servers)('a chunked set on %s', (binary) => {
  let redis: RedisSandbox;
  beforeAll(async () => {
    redis = await startRedisSandbox(['--appendonly', 'no'], binary);
  });
  afterAll(() => redis.close());
  beforeEach(() => redis.client.flushall());

  const add = (entries: readonly Entry[], index = INDEX): Promise<unknown> =>
    addScript(redis.client, ['{t}', index], entries.flat());
  const addInPages = async (entries: readonly Entry[], size: number): Promise<void> => {
    for (let first = 0; first < entries.length; first += size) await add(entries.slice(first, first + size));
  };
  const remove = ([score, member]: Entry, index = INDEX): Promise<unknown> =>
    removeScript(redis.client, ['{t}', index], [score, member]);
  const absent = (entries: readonly Entry[]): Promise<unknown> =>
    absentScript(redis.client, ['{t}', INDEX], entries.flat());
  const page = async (newest: boolean, [score, member]: Entry, count: number): Promise<Entry[]> =>
    pairs(
      (await pageScript(redis.client, ['{t}', INDEX], [newest ? 1 : 0, score, member, count])) as string[],
    );

  /** Holds all that must be true of the chunks against the entries that must be there; answers how many chunks there are. */
  const audit = async (entries: readonly Entry[], index = INDEX): Promise<number> => {
    const { client } = redis;
    const name = index.slice('{t}:i:'.length);
    const boundaries = pairs(await client.zrange(`{t}:i:d:${name}`, 0, '-1', 'WITHSCORES'));
    const chunkKeys = boundaries.map(([, boundary]) => `{t}:i:k:${boundary}:${name}`);
    const there: Entry[] = [];
    for (const [place, key] of [index, ...chunkKeys].entries()) {
      const chunk = pairs(await client.zrange(key, 0, '-1', 'WITHSCORES'));
      expect(chunk.length).toBeLessThanOrEqual(MOST);
      if (place > 0) {
        expect(chunk.length).toBeGreaterThan(0);
        expect(boundaryBelow(boundaries[place - 1]?.[1], chunk[0])).toBe(true);
      }
      if (chunk.length > 0) expect(await client.object('ENCODING', key)).toBe('listpack');
      there.push(...chunk);
    }
    const wanted = entries.toSorted(order);
    expect(there).toEqual(wanted);
    expect(await sizesScript(client, ['{t}'], [index])).toEqual([entries.length]);
    const all = (await client.keys('{t}:i:k:*')).filter((key) => key.endsWith(`:${name}`));
    expect(all.toSorted()).toEqual(chunkKeys.toSorted());
    return boundaries.length + (await client.exists(index));
  };
  const fillOf = async (entries: readonly Entry[]): Promise<number> =>
    entries.length / ((await audit(entries)) * MOST);

  it('is one plain set while it is small', async () => {
    await add(numbered(MOST));
    expect(await redis.client.keys('*')).toEqual([INDEX]);
  });

  it.each([
    ['one after the other', 1, numbered(700), 0.95],
    ['in pages', 500, numbered(5_000), 0.95],
    ['in pages, the newest first', 500, numbered(5_000).toReversed(), 0.95],
    ['one after the other, the newest first', 1, numbered(700).toReversed(), 0.95],
    ['in small pages', 30, numbered(3_000), 0.9],
    ['in pages of any order', 500, shuffled(numbered(5_000), dice(1)), 0.6],
    ['one by one in any order', 1, shuffled(numbered(2_000), dice(2)), 0.6],
    ['nearly in order', 1, nearly(numbered(2_000)), 0.6],
    ['nearly in order, the newest first', 1, nearly(numbered(2_000).toReversed()), 0.6],
    ['all of one moment', 500, shuffled(numbered(2_000, 0, 0), dice(3)), 0.6],
    ['all of a few moments, one by one', 1, shuffled(numbered(600, 0, 0.01).map(whole), dice(4)), 0.6],
  ])('keeps what comes %s, in full chunks', async (_name, size, entries, atLeast) => {
    await addInPages(entries, size);
    expect(await fillOf(entries)).toBeGreaterThan(atLeast);
    expect(await absent(entries)).toEqual([]);
  });

  it('stays compact when entries are added again', async () => {
    const entries = numbered(10 * MOST);
    await addInPages(entries, 1);
    await addInPages(entries, 1);
    await addInPages(shuffled(entries, dice(5)), 50);
    await add([...entries, ...entries]);
    expect(await audit(entries)).toBe(10);
  });

  it('keeps one index apart from another, whatever their names', async () => {
    const [ours, theirs] = [numbered(500), numbered(700, 200)];
    for (let n = 0; n < 700; n += 20) {
      await add(ours.slice(n, n + 20));
      await add(theirs.slice(n, n + 20), NEIGHBOUR);
    }
    expect(await audit(ours)).toBe(Math.ceil(ours.length / MOST));
    expect(await audit(theirs, NEIGHBOUR)).toBe(Math.ceil(theirs.length / MOST));
    for (const entry of theirs) await remove(entry, NEIGHBOUR);
    expect(await audit(ours)).toBe(Math.ceil(ours.length / MOST));
    expect(await audit([], NEIGHBOUR)).toBe(0);
  });

  it('leaves nothing behind when all is removed, and is missed entry by entry', async () => {
    const entries = shuffled(numbered(600, 0, 0.1).map(whole), dice(6));
    await add(entries);
    for (let gone = 0; gone < entries.length; gone += 50) {
      await audit(entries.slice(gone));
      expect(await absent(entries)).toHaveLength(gone);
      for (const entry of entries.slice(gone, gone + 50)) {
        await remove(entry);
        await remove(entry);
      }
    }
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it('is a plain set of any size for a status and for checksums', async () => {
    for (const index of ['{t}:i:s:s', '{t}:i:h:a0']) {
      const entries = shuffled(numbered(3_000), dice(7));
      await add(entries, index);
      expect(await redis.client.keys('{t}:*')).toEqual([index]);
      expect(await sizesScript(redis.client, ['{t}'], [index])).toEqual([entries.length]);
      for (const entry of entries) await remove(entry, index);
    }
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it('misses an entry that is there under another score', async () => {
    const entries = numbered(200);
    await add(entries);
    const [score, member] = entries[20] ?? [0, ''];
    await redis.client.zadd(INDEX, score + 1, member);
    expect(await absent(entries)).toEqual([member]);
  });

  it('leaves a set whole that was large before there were chunks', async () => {
    const [older, between, newer] = [numbered(50), numbered(300, 50), numbered(100, 350)];
    const [early, late] = [between.filter((_, n) => n % 3 > 0), between.filter((_, n) => n % 3 === 0)];
    await redis.client.zadd(INDEX, ...early.flat());
    for (const part of [newer, older, late]) await add(part);
    const all = [...older, ...between, ...newer];
    expect(await redis.client.keys('*')).toEqual([INDEX]);
    expect(await sizesScript(redis.client, ['{t}'], [INDEX])).toEqual([all.length]);
    expect(await page(false, [0, ''], 1_000)).toEqual(all);
    expect(await absent(all)).toEqual([]);
    for (const entry of all) await remove(entry);
    expect(await redis.client.keys('*')).toEqual([]);
  });

  it.each([1, 7, MOST, 500])('gives pages of %i in both orders, from any place', async (count) => {
    const entries = numbered(700, 0, 0.02).map(whole).toSorted(order);
    await add(shuffled(entries, dice(8)));
    const gone = entries.filter((_, place) => place % 9 === 0);
    for (const entry of gone) await remove(entry);
    const left = entries.filter((entry) => !gone.includes(entry));
    for (const newest of [false, true]) {
      const wanted = newest ? left.toReversed() : left;
      let last: Entry = [0, ''];
      const walked: Entry[] = [];
      for (
        let part = await page(newest, last, count);
        part.length > 0;
        part = await page(newest, last, count)
      ) {
        walked.push(...part);
        last = part.at(-1) ?? last;
      }
      expect(walked).toEqual(wanted);
      for (const entry of gone)
        expect(await page(newest, entry, count)).toEqual(
          wanted.filter((one) => order(one, entry) * (newest ? -1 : 1) > 0).slice(0, count),
        );
    }
  });

  it.each([11, 12, 13])('is what a plain sorted set is after anything (seed %i)', async (seed) => {
    const roll = dice(seed);
    const model = new Map<string, number>();
    const entryOf = (member: string): Entry => [model.get(member) ?? 0, member];
    for (let step = 0; step < 300; step += 1) {
      if (roll(3) > 0) {
        const base = roll(40);
        const size = roll(4) === 0 ? roll(300) + 1 : roll(8) + 1;
        const fresh = Array.from({ length: size }, (): Entry => [base + roll(3), nameOf(roll(1_500))]);
        const last = new Map(fresh.map(([score, member]) => [member, score]));
        for (const [member, score] of last) {
          // As the catalog does: an entry that moves is removed from its old place.
          if ((model.get(member) ?? score) !== score) await remove(entryOf(member));
          model.set(member, score);
          await redis.client.zadd('plain', score, member);
        }
        await add([...last].map(([member, score]) => [score, member]));
      } else {
        for (const member of shuffled([...model.keys()], roll).slice(0, roll(120))) {
          await remove(entryOf(member));
          model.delete(member);
          await redis.client.zrem('plain', member);
        }
      }
      if (step % 10 > 0) continue;
      await audit([...model.keys()].map(entryOf));
      const plain = pairs(await redis.client.zrange('plain', 0, '-1', 'WITHSCORES'));
      expect(await page(false, [0, ''], 10_000)).toEqual(plain);
      expect(await page(true, [0, ''], 10_000)).toEqual(plain.toReversed());
    }
  });
});

function pairs(flat: readonly string[]): Entry[] {
  return Array.from({ length: flat.length / 2 }, (_, n) => [Number(flat[2 * n + 1]), flat[2 * n] ?? '']);
}

function whole([score, member]: Entry): Entry {
  return [Math.floor(score), member];
}

/** Each up to twenty places from where it belongs. */
function nearly(entries: readonly Entry[]): Entry[] {
  const roll = dice(9);
  return entries
    .map((entry, place) => [place + roll(20), entry] as const)
    .toSorted((a, b) => a[0] - b[0])
    .map(([, one]) => one);
}

function boundaryBelow(boundary: string | undefined, first: Entry | undefined): boolean {
  const cut = boundary?.indexOf(':') ?? 0;
  const from: Entry = [Number(boundary?.slice(0, cut)), boundary?.slice(cut + 1) ?? ''];
  return first !== undefined && order(from, first) <= 0;
}
