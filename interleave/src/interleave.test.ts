import { createRandom, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { findViolations } from './invariants.js';
import { allCases, parseCase, someCases } from './plan.js';
import { nameOf, runCase } from './run-case.js';
import { settle } from './settle.js';
import { editOnHost, situations } from './situations.js';
import { openWorld } from './world.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('keeps every promise in the cases of one seed', async () => {
  const broken: Record<string, string[]> = {};
  for (const one of someCases(createRandom(1), 60)) {
    const violations = await runCase(sandbox, one);
    if (violations.length > 0) broken[nameOf(one)] = violations;
  }
  expect(broken).toEqual({});
});

it('replays a case by its name', () => {
  const [one] = someCases(createRandom(7), 1);
  expect(one).toBeDefined();
  expect(parseCase(one === undefined ? '' : nameOf(one))).toEqual(one);
  expect(parseCase('verified/editTitle@7')).toBeNull();
  expect(parseCase('verified/toString@7+delete')).toBeNull();
});

it('stops an operation at each of its pieces', async () => {
  const cases = await allCases(sandbox, ['deleting']);
  const stops = cases.filter(({ operation, meets }) => operation === 'delete' && meets === 'cut');
  // At least: read the record, put the tombstone, confirm it, note it on the host, remove the asset, end the record.
  expect(stops.length).toBeGreaterThan(5);
});

async function aVerifiedFile() {
  const world = await openWorld(sandbox);
  onTestFinished(() => world.close());
  const subject = await situations.verified(world);
  await settle(world);
  return { world, subject };
}

it.each([
  [
    'an acknowledged edit that is not there',
    { told: 'done', fields: { title: 'other' } },
    /has title "first"/,
  ],
  [
    'a deletion that was answered and not done',
    { told: 'done', deletes: true },
    /deleted and is there again/,
  ],
  [
    'a second file under one key',
    { told: 'done', uploadedId: '01K00000000000000000000000' },
    /several files/,
  ],
] as const)('sees %s', async (_what, effect, violation) => {
  const { world, subject } = await aVerifiedFile();
  expect(await findViolations(world, subject, [])).toEqual([]);
  expect((await findViolations(world, subject, [effect])).join('\n')).toMatch(violation);
});

it('sees an asset that went, what the catalog does not follow, and a pair of others that is lost', async () => {
  const { world, subject } = await aVerifiedFile();
  const asset = await world.assetOf(subject.id ?? '');
  const { sku, ...context } = asset?.context ?? {};
  expect(sku).toBeDefined();
  await world.emulator.assets.edit(asset?.assetId ?? '', { context }, { quiet: true });
  expect((await findViolations(world, subject, [])).join('\n')).toMatch(/lost what others keep/);

  await editOnHost(world, subject, { title: 'not seen by any sync' });
  expect((await findViolations(world, subject, [])).join('\n')).toMatch(/would be rebuilt as/);

  await world.emulator.assets.remove(asset?.assetId ?? '', { quiet: true });
  expect((await findViolations(world, subject, [])).join('\n')).toMatch(/verified without an asset/);
});
