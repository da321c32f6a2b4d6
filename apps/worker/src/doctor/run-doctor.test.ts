import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  startCloudinaryEmulator,
  type CloudinaryEmulator,
  type AssetInput,
  type EmulatorOptions,
  freePlanLimits,
  readings,
} from '@holdfast/cloudinary-emulator';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { doctorPrefix, idOfFoundAsset, newMediaId } from '@holdfast/shared/media';
import { createMediaHost } from '@holdfast/shared/media-host';
import {
  freePort,
  managedServices,
  onePixelPng,
  startManagedRedis,
  startRedisSandbox,
  type RedisSandbox,
} from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';
import type { Row } from './probe.js';
import { type Diagnosis, type DoctorOptions, reportText, runDoctor } from './run-doctor.js';
import { doctorMark, fileBody, MAX_ADMIN_CALLS } from './trial.js';

const never = new AbortController().signal;
let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function startEmulator(options: EmulatorOptions = {}): Promise<CloudinaryEmulator> {
  const emulator = await startCloudinaryEmulator(options);
  onTestFinished(() => emulator.close());
  return emulator;
}

async function examine(env: Environment, options: Partial<DoctorOptions> = {}): Promise<Diagnosis> {
  const all = {
    REDIS_URL: sandbox.url,
    API_KEYS: 'web:write:a-secret-of-somebody',
    DATA_DIR: await temporaryFolder(),
    ...env,
  };
  return runDoctor({
    settings: readSettings(all),
    env: all,
    log: silentLogger,
    signal: never,
    patienceMs: 400,
    ...options,
  });
}

const rowNamed = ({ rows }: Diagnosis, name: string): Row | undefined =>
  rows.find((row) => row.name === name);
/** The disk of a test is in memory, which the doctor says. */
const notWell = ({ rows }: Diagnosis): string[] =>
  rows.filter(({ severity, name }) => severity !== 'ok' && name !== 'Data folder').map(({ name }) => name);
/** Lines that do not fit a terminal of the usual width. */
const tooWide = (diagnosis: Diagnosis): string[] =>
  reportText(diagnosis)
    .split('\n')
    .filter((line) => line.length > 100);

/** Readings in which listings tell no hash: syncs cannot see there whether bytes have changed. */
const withoutHashes = new Set(['unknown fields refused', 'fields that the listing ignores']);

describe('the doctor', () => {
  it('finds all well on an account as expected, within its calls, and leaves everything as it was', async () => {
    const emulator = await startEmulator();
    await emulator.assets.seed(40);
    const prefix = doctorPrefix('holdfast');
    await emulator.configure({ clockOffsetMs: -20 * 60_000 });
    // Old, below its folder, and not its own.
    await emulator.assets.put({ publicId: `${prefix}a-photo`, resourceType: 'image', content: onePixelPng });
    await emulator.assets.put({
      publicId: `${prefix}${newMediaId()}-image`,
      resourceType: 'image',
      content: onePixelPng,
    });
    await emulator.configure({ clockOffsetMs: 0 });
    const before = await emulator.assets.list();

    const diagnosis = await examine({ CLOUDINARY_URL: emulator.cloudinaryUrl });
    expect(notWell(diagnosis)).toEqual(['Notifications']);
    expect(await emulator.assets.list()).toEqual(before);
    expect(diagnosis.adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    const { byEndpoint } = await emulator.requests.counters();
    const signed = ['upload', 'explicit', 'destroy', 'rename', 'download', 'deliver'];
    const admin = Object.entries(byEndpoint).filter(([endpoint]) => !signed.includes(endpoint));
    expect(admin.reduce((sum, [, count]) => sum + count, 0)).toBe(diagnosis.adminCalls);
  });

  it.each(Object.entries(readings))('leaves nothing, and finds right what is: %s', async (name, reading) => {
    const emulator = await startEmulator(reading);
    const diagnosis = await examine({ CLOUDINARY_URL: emulator.cloudinaryUrl });
    const { rows, adminCalls } = diagnosis;
    const wrong = rows.filter(({ severity }) => severity === 'error').map((row) => row.name);
    expect(wrong).toEqual(withoutHashes.has(name) ? ['Listing'] : []);
    expect(adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    expect(await emulator.assets.count()).toBe(0);
  });

  it('removes what an earlier doctor left, and nothing that is younger or not marked', async () => {
    const emulator = await startEmulator();
    const put = async (what: string, over: Partial<AssetInput> = {}) => {
      const runId = newMediaId();
      await emulator.assets.put({
        publicId: `${doctorPrefix('holdfast')}${runId}-${what}`,
        resourceType: 'image',
        content: onePixelPng,
        context: { ...doctorMark(runId, onePixelPng).context },
        ...over,
      });
    };
    await emulator.configure({ clockOffsetMs: -20 * 60_000 });
    await put('image');
    await put('parts.bin', { resourceType: 'raw' });
    await put('file.txt', { resourceType: 'raw', type: 'authenticated', content: fileBody });
    await put('unmarked', { context: {} });
    await put('mine.txt', { resourceType: 'raw', type: 'authenticated', content: onePixelPng });
    await emulator.configure({ clockOffsetMs: 0 });
    await put('young');

    const diagnosis = await examine({ CLOUDINARY_URL: emulator.cloudinaryUrl });
    expect(rowNamed(diagnosis, 'Leftovers')).toMatchObject({ severity: 'ok', found: 'removed 3' });
    const left = (await emulator.assets.list()).map(({ publicId }) => publicId.split('-').at(-1));
    expect(new Set(left)).toEqual(new Set(['mine.txt', 'unmarked', 'young']));
  });

  it('is adopted by no sync that runs meanwhile', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', {
      emulator: { responseDelayMs: 20 },
      env: { API_KEYS: 'web:write:a-secret-of-somebody' },
    });
    await rig.emulator?.assets.seed(3);
    // As where an account shows no context, and so no mark.
    const { assetId } = await rig.foreign(`${doctorPrefix('holdfast')}${newMediaId()}-image`);
    await rig.sync();
    const known = async () => (await rig.records()).map(({ id }) => id).toSorted();
    const before = await known();
    expect(before).toHaveLength(3);
    expect(before).not.toContain(idOfFoundAsset(assetId));
    const ended = new AbortController();
    const examined = runDoctor({
      settings: rig.settings,
      env: {},
      log: silentLogger,
      signal: never,
      patienceMs: 400,
    }).finally(() => ended.abort());
    let mostListed = 0;
    for (let round = 0; !ended.signal.aborted; round += 1) {
      const run = await rig.sync({ mode: round % 2 === 0 ? 'full' : 'incremental' });
      expect(run).toMatchObject({ created: 0, errors: 0, missing: 0, result: 'ok' });
      mostListed = Math.max(mostListed, run.listed);
    }
    // They have seen its files.
    expect(mostListed).toBeGreaterThan(before.length + 1);
    expect(notWell(await examined)).toEqual(['Notifications']);
    await rig.sync();
    expect(await known()).toEqual(before);
  });

  it('looks at the local host, and says that no account was examined', async () => {
    const directory = await temporaryFolder();
    const diagnosis = await examine({ DATA_DIR: directory });
    expect(notWell(diagnosis)).toEqual(['Notifications', 'Account']);
    expect(rowNamed(diagnosis, 'Account')).toMatchObject({ outcome: 'skipped' });
    const settings = readSettings({ DATA_DIR: directory });
    const host = await createMediaHost(settings.host, { uploadSlots: 1, log: silentLogger });
    onTestFinished(() => host.close());
    const request = { resourceType: 'image', cursor: null, limit: 10, signal: never } as const;
    expect((await host.list(request)).assets).toEqual([]);
    expect((await readdir(directory)).filter((name) => name.startsWith('doctor'))).toEqual([]);
  });

  it('cleans up when it is interrupted', async () => {
    const emulator = await startEmulator({ responseDelayMs: 20 });
    const interrupted = new AbortController();
    const examined = examine(
      { CLOUDINARY_URL: emulator.cloudinaryUrl },
      {
        signal: interrupted.signal,
        progress: (name) => {
          if (name === 'Rename') interrupted.abort(new Error('interrupted'));
        },
      },
    );
    const diagnosis = await examined;
    expect(rowNamed(diagnosis, 'Rename')).toMatchObject({ outcome: 'skipped', found: 'interrupted' });
    expect(rowNamed(diagnosis, 'Clean-up')).toMatchObject({ severity: 'ok' });
    expect(diagnosis.interrupted).toBe(true);
    expect(await emulator.assets.count()).toBe(0);
  });
});

interface Planted {
  name: string;
  plant: (emulator: CloudinaryEmulator) => Promise<unknown>;
  row: string;
  severity: Row['severity'];
  found?: RegExp;
  env?: Environment;
  options?: Partial<DoctorOptions>;
  /** Files that cannot be removed again. */
  leaves?: number;
}

const allFields =
  'asset_id format version created_at uploaded_at bytes width height secure_url etag tags context'.split(' ');
const always = { count: null } as const;
const planted: readonly Planted[] = [
  {
    name: 'a wrong secret',
    plant: () => Promise.resolve(),
    row: 'Account',
    severity: 'error',
    found: /api_secret mismatch/,
    env: { CLOUDINARY_URL: 'cloudinary://000000000000001:wrong@emulated-cloud' },
  },
  {
    name: 'a clock that is an hour and a half behind',
    plant: (emulator) => emulator.configure({ clockOffsetMs: 90 * 60_000 }),
    row: 'Clock',
    severity: 'error',
    found: /90 minutes behind/,
  },
  {
    name: 'an hour without calls',
    plant: (emulator) => emulator.configure({ rateLimitPerHour: 0 }),
    row: 'Admin calls',
    severity: 'error',
    found: /Rate Limit Exceeded/,
  },
  {
    name: 'a host that is down',
    plant: async (emulator) => emulator.faults.add({ kind: 'drop-after-success', ...always }),
    row: 'Account',
    severity: 'error',
    found: /HOST_REJECTED/,
  },
  {
    name: 'a host that is slow',
    plant: (emulator) => emulator.configure({ responseDelayMs: 80 }),
    row: 'Answer time',
    severity: 'note',
    options: { slowMs: 60 },
  },
  {
    name: 'a host that stops answering',
    plant: (emulator) =>
      emulator.faults.add({ kind: 'silence', ms: 600_000, match: { endpoint: 'explicit' }, ...always }),
    row: 'Upload',
    severity: 'error',
    found: /HOST_TIMEOUT/,
    options: { timeouts: { callMs: 300 } },
  },
  {
    name: 'a small plan',
    plant: (emulator) => emulator.configure({ maxBytes: freePlanLimits }),
    row: 'Plan',
    severity: 'note',
    found: /image 10 MB/,
  },
  {
    name: 'a preset that renames',
    plant: (emulator) => emulator.configure({ defaultPreset: { folder: 'incoming' } }),
    row: 'Upload',
    severity: 'error',
    found: /stored as image incoming\/holdfast\/doctor/,
  },
  {
    name: 'a preset that transforms',
    plant: (emulator) => emulator.configure({ defaultPreset: { transforms: true } }),
    row: 'Stored bytes',
    severity: 'error',
  },
  {
    name: 'stored bytes that are others',
    plant: (emulator) =>
      emulator.faults.add({ kind: 'corrupt', match: { endpoint: 'upload', resourceType: 'raw' } }),
    row: 'Upload in parts',
    severity: 'error',
    found: /of other bytes/,
  },
  {
    name: 'edits that add to what is there',
    plant: (emulator) => emulator.configure({ explicitEdits: 'merges' }),
    row: 'Edit',
    severity: 'note',
    found: /merges/,
  },
  {
    name: 'parts that are refused',
    plant: (emulator) =>
      emulator.faults.add({
        kind: 'error',
        status: 400,
        message: 'All parts except EOF-chunk must be larger than 5mb',
        match: { endpoint: 'upload', resourceType: 'raw' },
      }),
    row: 'Upload in parts',
    severity: 'error',
    found: /larger than 5mb/,
  },
  ...[401, 404].map((status): Planted => ({
    name: `downloads that answer ${String(status)}`,
    plant: (emulator) =>
      emulator.faults.add({ kind: 'error', status, match: { endpoint: 'download' }, ...always }),
    row: 'Private file',
    severity: 'error',
    found: new RegExp(String(status)),
  })),
  {
    name: 'files that are not delivered',
    plant: (emulator) => emulator.configure({ blockedDelivery: ['image'] }),
    row: 'Delivery',
    severity: 'error',
    found: /401/,
  },
  {
    name: 'a PDF that is not delivered',
    plant: (emulator) => emulator.configure({ blockedDelivery: ['pdf'] }),
    row: 'Delivery of a PDF',
    severity: 'error',
    found: /401/,
  },
  {
    name: 'a search that lags',
    plant: (emulator) => emulator.configure({ searchLagMs: 60_000 }),
    row: 'Search',
    severity: 'error',
    found: /not within/,
  },
  {
    name: 'a search that does not know edits',
    plant: (emulator) => emulator.configure({ searchKnowsLastUpdated: false }),
    row: 'Search for edits',
    severity: 'note',
  },
  {
    name: 'a listing without etag',
    plant: (emulator) => emulator.configure({ unlistedFields: ['etag'] }),
    row: 'Listing',
    severity: 'error',
    found: /^no etag$/,
  },
  {
    name: 'a listing that refuses fields',
    plant: (emulator) =>
      emulator.configure({ unlistedFields: ['width'], unknownFields: { refusedWith: 'Bad Request' } }),
    row: 'Listing',
    severity: 'error',
    found: /refuses the fields/,
  },
  {
    // As where a repeated parameter, or one with commas, is read as another name.
    name: 'a listing that knows none of the fields',
    plant: (emulator) => emulator.configure({ unlistedFields: [...allFields] }),
    row: 'Listing',
    severity: 'error',
    found: /^items only have .*asset_id, public_id, resource_type$/,
  },
  {
    name: 'a listing without the time of uploads',
    plant: (emulator) => emulator.configure({ unlistedFields: ['uploaded_at'] }),
    row: 'Listing',
    severity: 'note',
    found: /uploaded_at/,
  },
  {
    name: 'sorted tags',
    plant: (emulator) => emulator.configure({ tagOrder: 'sorted' }),
    row: 'Tags',
    severity: 'note',
    found: /uploads, edits, listings/,
  },
  ...(['flat', 'pairs'] as const).map((contextShape): Planted => ({
    name: `context that is shown ${contextShape}`,
    plant: (emulator) => emulator.configure({ contextShape }),
    row: 'Context',
    severity: 'note',
    found: contextShape === 'flat' ? /flat pairs/ : /a list/,
  })),
  {
    name: 'deleted files that are kept as backups',
    plant: (emulator) => emulator.configure({ keepsBackups: true }),
    row: 'Delete',
    severity: 'note',
    found: /backup/,
  },
  {
    name: 'an empty listing',
    plant: (emulator) =>
      emulator.faults.add({ kind: 'short-listing', keep: 0, match: { endpoint: 'list' }, ...always }),
    row: 'Listing',
    severity: 'error',
    found: /empty page/,
  },
  {
    name: 'deletes that do nothing',
    plant: (emulator) =>
      emulator.faults.add({
        kind: 'garbage',
        body: '{"result":"not found"}',
        effect: 'none',
        match: { endpoint: 'destroy' },
        ...always,
      }),
    row: 'Delete',
    severity: 'error',
    leaves: 4,
  },
  {
    name: 'files that it cannot remove again',
    plant: (emulator) => emulator.faults.add({ kind: 'error', match: { endpoint: 'destroy' }, ...always }),
    row: 'Clean-up',
    severity: 'error',
    found: /-renamed, .*-parts.bin, .*-pdf, .*-file.txt/,
    leaves: 4,
  },
];

describe('the doctor names', () => {
  it.each(planted)('$name', async ({ plant, row, severity, found = /./, env = {}, options, leaves = 0 }) => {
    const emulator = await startEmulator();
    await plant(emulator);
    const prefix = `upload_prefix=${emulator.url}`;
    const address = env['CLOUDINARY_URL'];
    const url = address === undefined ? emulator.cloudinaryUrl : `${address}?${prefix}`;
    const diagnosis = await examine({ ...env, CLOUDINARY_URL: url }, options);
    expect(rowNamed(diagnosis, row)).toMatchObject({ severity, found: expect.stringMatching(found) });
    expect(diagnosis.adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    expect(tooWide(diagnosis)).toEqual([]);
    expect(await emulator.assets.count()).toBe(leaves);
  });

  it('a cause once: not files that were refused, nor the delivery of bytes that were altered before', async () => {
    const emulator = await startEmulator();
    const rows = async (settings: Parameters<CloudinaryEmulator['configure']>[0]) => {
      await emulator.configure(settings);
      return examine({ CLOUDINARY_URL: emulator.cloudinaryUrl });
    };
    const late = await rows({ clockOffsetMs: 90 * 60_000 });
    expect(rowNamed(late, 'Clean-up')).toMatchObject({ outcome: 'skipped' });
    const transformed = await rows({ clockOffsetMs: 0, defaultPreset: { transforms: true } });
    expect(rowNamed(transformed, 'Stored bytes')).toMatchObject({ severity: 'error' });
    for (const name of ['Delivery', 'Delivery of a PDF'])
      expect(rowNamed(transformed, name)).toMatchObject({ outcome: 'skipped' });
    const renamed = await rows({ defaultPreset: { folder: 'incoming' } });
    expect(rowNamed(renamed, 'Private file')?.fix).toContain('default preset');
  });

  it('what a Redis does not offer, with the fix, and what that means', async () => {
    const redis = await startManagedRedis(managedServices.upstashFree);
    onTestFinished(() => redis.close());
    await redis.configure({
      answers: { ...managedServices.upstashFree.answers, MULTI: "-ERR unknown command 'MULTI'" },
    });
    const diagnosis = await examine({ REDIS_URL: redis.url });
    expect(rowNamed(diagnosis, 'Redis')?.found).toMatch(/^Upstash 1\.13/);
    expect(rowNamed(diagnosis, 'Transactions')).toMatchObject({
      severity: 'error',
      found: "ERR unknown command 'MULTI'",
      fix: expect.stringContaining('proxy'),
    });
    expect(rowNamed(diagnosis, 'ROLE')).toMatchObject({
      severity: 'note',
      means: expect.stringContaining('DURABILITY_REPLICAS'),
    });
    expect(rowNamed(diagnosis, 'ZMSCORE')).toMatchObject({ severity: 'ok' });
    expect(tooWide(diagnosis)).toEqual([]);
    expect(await redis.server.client.keys('*')).toEqual([]);
  });

  it('a right that the user of Redis lacks, in one row and with the fix for that', async () => {
    const redis = await startRedisSandbox();
    onTestFinished(() => redis.close());
    await redis.client.call('ACL', 'SETUSER', 'few', 'on', '>a-pw', '~*', '+@all', '-eval');
    const diagnosis = await examine({ REDIS_URL: redis.url.replace('//', '//few:a-pw@') });
    const wrong = diagnosis.rows.filter(({ severity }) => severity === 'error');
    expect(wrong.map(({ name }) => name)).toEqual(['Scripts']);
    expect(wrong[0]?.fix).toBe('Give the user of Redis the rights in docs/operations.md.');
    expect(rowNamed(diagnosis, 'Keys on one server')?.found).toBe('not run: as for "Scripts"');
  });

  it('what listens where Redis should, in the words of health', async () => {
    const server = createServer((_req, res) => void res.end());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(
      rowNamed(await examine({ REDIS_URL: `redis://127.0.0.1:${String(port)}` }), 'Redis'),
    ).toMatchObject({
      severity: 'error',
      found: 'cannot be reached: what listens there is not Redis: an HTTP server answers',
    });
  });

  it('a host and a Redis that nobody answers for', async () => {
    const [host, redis] = [await freePort(), await freePort()];
    const diagnosis = await examine({
      CLOUDINARY_URL: `cloudinary://key:secret@cloud?upload_prefix=http://127.0.0.1:${String(host)}`,
      REDIS_URL: `redis://127.0.0.1:${String(redis)}`,
    });
    expect(rowNamed(diagnosis, 'Account')).toMatchObject({
      severity: 'error',
      fix: expect.stringMatching(/reaches/),
    });
    expect(rowNamed(diagnosis, 'Redis')).toMatchObject({
      severity: 'error',
      found: 'cannot be reached: nothing listens there',
      fix: expect.stringMatching(/host and port/),
    });
    expect(rowNamed(diagnosis, 'Upload')).toMatchObject({ outcome: 'skipped' });
  });
});
