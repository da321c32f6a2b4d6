import { afterAll, beforeAll, expect, it } from 'vitest';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig, type SyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox(['--appendonly', 'no']);
});
afterAll(() => sandbox.close());

async function told({ catalog }: SyncRig) {
  const { items } = await catalog.list({ limit: 100, order: 'oldest' });
  const about = items.map(({ id, status, title, revision }) => ({ id, status, title, revision }));
  return { about, counts: await catalog.counts() };
}

/** What stands for one stored text: forms that a newer version may write, and what other programs do. */
const unreadable: [string, (stored: string) => string][] = [
  ['has a status that this version does not know', (stored) => stored.replace(/^\["."/, '["a"')],
  ['has a level that this version does not know', (stored) => stored.replace(/,"[wfr]",/, ',"q",')],
  ['has a type that this version does not know', (stored) => stored.replace(/\n\[1,"."/, '\n[1,"m"')],
  ['is in another form', (stored) => JSON.stringify({ form: 2, stored })],
  ['was cut off', (stored) => stored.slice(0, -3)],
  ['is of another program', () => 'x\ny'],
];

it.each(unreadable)(
  'one record that %s fails no list and no sync, and the next full run writes it again',
  async (_name, spoil) => {
    const rig = await openSyncRig(sandbox, 'local', { env: { CATALOG_SNAPSHOT: 'true' } });
    await rig.upload({ title: 'first' });
    const odd = await rig.upload({ title: 'odd', tags: ['rare'] });
    await rig.upload({ title: 'last' });
    await rig.sync();
    const before = await told(rig);
    expect(before.about.map(({ title, status }) => [title, status])).toEqual([
      ['first', 'verified'],
      ['odd', 'verified'],
      ['last', 'verified'],
    ]);
    const { id } = rig.recordOf(odd);
    const stored = (await rig.redis.get(rig.keys.record(id))) ?? '';
    const spoilt = spoil(stored);
    expect(spoilt).not.toBe(stored);
    await rig.redis.set(rig.keys.record(id), spoilt);

    expect((await told(rig)).about.map(({ title }) => title)).toEqual(['first', 'last']);
    expect(await rig.catalog.find(id)).toBeNull();
    expect(await rig.sync({ mode: 'incremental' })).toMatchObject({ result: 'ok', errors: 0 });
    await rig.redis.set(rig.keys.record(id), spoilt);
    expect(await rig.sync()).toMatchObject({ result: 'ok', created: 1, missing: 0, errors: 0 });
    expect(await told(rig)).toEqual(before);
    const found = await rig.catalog.list({ limit: 10, order: 'oldest', tag: 'rare' });
    expect(found).toMatchObject({ items: [{ id }], total: 1 });
  },
);

it('a record with fields that a newer version has added is read as far as this version knows it', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  const { id } = rig.recordOf(await rig.upload({ title: 'longer' }));
  await rig.sync();
  const stored = (await rig.redis.get(rig.keys.record(id))) ?? '';
  const longer = ['\n', '\u001f'].reduce((text, end) => text.replace(`]${end}`, `,["new"]]${end}`), stored);
  expect(longer).not.toBe(stored);
  await rig.redis.set(rig.keys.record(id), longer.replace(/\]$/, ',["new"]]'));
  expect(await rig.catalog.find(id)).toMatchObject({ title: 'longer', status: 'verified' });
  expect(await rig.sync()).toMatchObject({ result: 'ok', errors: 0 });
});

it('a source that this version does not know is read as on the mark of the host', async () => {
  const rig = await openSyncRig(sandbox, 'local');
  const { id } = rig.recordOf(await rig.upload());
  await rig.sync();
  const stored = (await rig.redis.get(rig.keys.record(id))) ?? '';
  const other = stored.replace(/"u",(\d+,\d+\])$/, '"i",$1');
  expect(other).not.toBe(stored);
  await rig.redis.set(rig.keys.record(id), other);
  expect(await rig.catalog.find(id)).toMatchObject({ source: 'upload' });
  expect(await rig.sync()).toMatchObject({ result: 'ok', errors: 0 });
});
