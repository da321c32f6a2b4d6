import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createFsyncJudgement, type FsyncJudgement } from './fsync-judgement.js';
import { readServerFacts, type ServerFacts } from './server-facts.js';

let sandbox: RedisSandbox;
let facts: ServerFacts;
let judgement: FsyncJudgement;

beforeAll(async () => {
  sandbox = await startRedisSandbox(['--appendfsync', 'everysec']);
  facts = await readServerFacts(sandbox.client);
});
afterAll(() => sandbox.close());
afterEach(() => judgement.close());

beforeEach(() => {
  judgement = createFsyncJudgement(sandbox.settings, silentLogger);
});

test('believes a server that syncs every second once it was measured', async () => {
  const judged = judgement.consider(facts);
  expect(judgement.believed()).toBe(false);
  expect(await judged).toBe(true);
  expect(judgement.believed()).toBe(true);
});

test('knows by the settings alone where they tell', async () => {
  expect(await judgement.consider({ ...facts, fsyncPolicy: 'always' })).toBe(true);
  expect(judgement.believed()).toBe(true);
  expect(await judgement.consider({ ...facts, aofEnabled: false })).toBe(true);
  expect(judgement.believed()).toBe(false);
});

test('keeps nothing that was measured of a server that was replaced meanwhile', async () => {
  const measured = judgement.consider(facts);
  expect(await judgement.consider({ ...facts, runId: 'another', aofEnabled: false })).toBe(true);
  expect(await measured).toBe(false);
  expect(judgement.believed()).toBe(false);
});

test('ends a measurement when it is closed', async () => {
  const measured = judgement.consider(facts);
  await judgement.close();
  expect(await measured).toBe(false);
});
