import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { createCatalog } from '@holdfast/shared/catalog';
import { createCatalogHost } from '@holdfast/shared/catalog-host';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { createIntents } from '@holdfast/shared/intents';
import { syncJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import {
  carriedFields,
  newMediaId,
  publicIdFor,
  readHostMetadata,
  recordFromAsset,
  writeHostMetadata,
  type CommitMark,
  type HostMetadata,
  type MediaRecord,
} from '@holdfast/shared/media';
import { createMediaHost, openAssetBytes, type MediaHost } from '@holdfast/shared/media-host';
import { createMetricsRegistry } from '@holdfast/shared/metrics';
import { redisKeys } from '@holdfast/shared/redis';
import { removeRecord } from '@holdfast/shared/removal';
import { createDeletionNotes, noteDeletions } from '@holdfast/shared/snapshot';
import type { SyncRun } from '@holdfast/shared/sync';
import { aRecord, onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { move } from '../src/commands/move.js';
import { UsageError } from '../src/commands/run-command.js';
import { withLease } from '../src/commands/catalog-commands.js';
import type { LeasedWork } from '../src/sync-run/sync-dependencies.js';
import { openDependencies } from '../src/dependencies.js';
import { moveAll, noResult } from '../src/move/move-all.js';
import { createSyncHandler } from '../src/sync/run-sync.js';
import { lasting } from './support/sync-rig.js';

const HOLDFAST = fileURLToPath(new URL('../dist/holdfast.js', import.meta.url));
const never = new AbortController().signal;
let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

interface Place {
  env: Environment;
  host: MediaHost;
}

/** Both hosts of a move, over one Redis and one data folder. */
async function twoHosts() {
  await sandbox.client.flushall();
  const dataDir = await mkdtemp(join(tmpdir(), 'holdfast-move-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const emulator = await startCloudinaryEmulator();
  onTestFinished(() => emulator.close());
  const base = { REDIS_URL: sandbox.url, DATA_DIR: dataDir, SAVE_BACKOFF_MS: '10', LOG_LEVEL: 'silent' };
  const place = async (env: Environment): Promise<Place> => {
    const host = await createMediaHost(readSettings(env).host, { uploadSlots: 4, log: silentLogger });
    onTestFinished(() => host.close());
    return { env, host };
  };
  const local = await place({ ...base, MOVE_FROM_CLOUDINARY_URL: emulator.cloudinaryUrl });
  const cloud = await place({ ...base, CLOUDINARY_URL: emulator.cloudinaryUrl });
  const keys = redisKeys('holdfast');
  // Somebody has looked at the whole host, long ago.
  await sandbox.client.hset(keys.syncState, 'lastFullAt', new Date(0).toISOString());
  return {
    emulator,
    dataDir,
    local,
    cloud,
    keys,
    catalog: createCatalog(sandbox.client, keys),
    catalogHost: createCatalogHost(sandbox.client, keys),
    intents: createIntents(sandbox.client, keys),
  };
}

type Hosts = Awaited<ReturnType<typeof twoHosts>>;

const digest = (name: 'md5' | 'sha256', bytes: Buffer): string =>
  createHash(name).update(bytes).digest('hex');

/** A media as an upload leaves it on the host and in the catalog; its bytes are its own. */
async function upload({ catalog }: Hosts, { host }: Place, over: Partial<MediaRecord> = {}, bytes = png()) {
  const id = over.id ?? newMediaId();
  const record = aRecord({
    id,
    bytes: bytes.length,
    title: `title of ${id}`,
    checksum: { sha256: digest('sha256', bytes), md5: digest('md5', bytes) },
    ...over,
  });
  const asset = await put(host, record.resourceType, publicIdFor('holdfast', id), marked(record), bytes);
  const saved = recordFromAsset(asset, 'holdfast', 'upload');
  await catalog.save(saved);
  await catalog.markVerified('fsynced', new Date(), [{ id, revision: saved.revision, attempts: 1 }]);
  return saved;
}

const marked = (record: MediaRecord, mark: CommitMark = { state: 'committed' }): HostMetadata =>
  writeHostMetadata({ mark, fields: carriedFields(record) });

async function put(
  host: MediaHost,
  resourceType: MediaRecord['resourceType'],
  publicId: string,
  metadata: HostMetadata,
  body: Buffer,
) {
  return (await host.put({ ref: { publicId, resourceType }, metadata, body, signal: never })).asset;
}

/** An image that no other test has. */
const png = (): Buffer => Buffer.concat([onePixelPng, randomBytes(8)]);

/** What a move must not change. */
function kept(record: MediaRecord | null): unknown {
  if (record === null) return null;
  const { id, checksum, filename, title, description, category, tags, uploadedBy, source } = record;
  const { createdAt, updatedAt, revision, bytes, format } = record;
  const fields = { id, checksum, filename, title, description, category, tags, uploadedBy, source };
  return { ...fields, createdAt, updatedAt, revision, bytes, format };
}

/** A sync by a worker of these settings. */
async function syncOn({ env }: Place) {
  const registry = createMetricsRegistry();
  const deps = await openDependencies(readSettings(env), silentLogger, {
    onFacts: () => undefined,
    registry,
  });
  onTestFinished(() => deps.close());
  const handler = createSyncHandler(deps.sync);
  return async (payload: { force?: boolean } = {}): Promise<SyncRun> => {
    const runId = newMediaId();
    const context = { signal: never, attempt: 1, log: silentLogger };
    await handler(syncJob.parse({ trigger: 'manual', mode: 'full', ...payload, runId }), context);
    const run = await deps.sync.state.findRun(runId);
    if (run === null) throw new Error('the run left no trace');
    return run;
  };
}

type Over = Pick<LeasedWork, 'host' | 'catalog'>;

/** A move on a host or a catalog that does more than they would. */
async function moveWith(
  { source, target }: { source: Place; target: Place },
  over: (leased: LeasedWork) => Partial<Over>,
): Promise<void> {
  await withLease(target.env, never, async (leased) => {
    const deps = { ...leased, ...over(leased) };
    const settings = readSettings(source.env).host;
    const options = { dryRun: false, busyForMs: 5_000, onProgress: () => undefined };
    await moveAll({ deps, source: { settings, host: source.host }, ...options }, noResult());
  });
}

/** `work` runs for each media after its copy was made and before its record is saved. */
const moveBeside = (hosts: { source: Place; target: Place }, work: (id: string) => Promise<void>) =>
  moveWith(hosts, ({ host }) => ({
    host: {
      ...host,
      annotate: async (ref, metadata, signal) => {
        await work(metadata.context['hf_id'] ?? '');
        return host.annotate(ref, metadata, signal);
      },
    },
  }));

const all = async ({ catalog }: Hosts): Promise<MediaRecord[]> =>
  (await catalog.list({ limit: 100, order: 'oldest' })).items;

async function bytesOn({ env, host }: Place, record: MediaRecord): Promise<string> {
  const asset = await host.find(record);
  if (asset === null) throw new Error(`${record.publicId} is not there`);
  const hash = createHash('md5');
  for await (const chunk of await openAssetBytes(readSettings(env).host, asset, AbortSignal.timeout(5_000)))
    hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What lies in the folder of the local host. */
async function filesOf({ dataDir }: Hosts): Promise<string[]> {
  return (await readdir(join(dataDir, 'media'), { recursive: true })).filter((name) =>
    /[0-9a-f]{32}[.]/.test(name),
  );
}

describe.each(['local', 'cloudinary'] as const)('a move from %s', (from) => {
  const open = async () => {
    const hosts = await twoHosts();
    const [source, target] = from === 'local' ? [hosts.local, hosts.cloud] : [hosts.cloud, hosts.local];
    await hosts.catalogHost.set(source.host.identity);
    const run = (over: Record<string, boolean> = {}, signal: AbortSignal = never) =>
      move.run(target.env, { from, ...over }, signal);
    const damage = async (record: MediaRecord): Promise<void> => {
      if (from === 'cloudinary') await hosts.emulator.assets.corrupt(record.assetId);
      else {
        const files = await filesOf(hosts);
        const name = files.find((file) => file.includes(record.assetId) && !file.endsWith('.json')) ?? '';
        await writeFile(join(hosts.dataDir, 'media', name), randomBytes(record.bytes));
      }
    };
    return { ...hosts, source, target, run, damage, sync: await syncOn(target) };
  };

  it('takes every file along with its id, fields, checksums and dates, and nothing away', async () => {
    const at = await open();
    await upload(at, at.source, { revision: 7, updatedAt: '2026-03-01T00:00:00.000Z', tags: ['a', 'b c'] });
    await upload(at, at.source, { source: 'direct', checksum: { sha256: null, md5: null }, title: '' });
    await upload(at, at.source, { resourceType: 'raw' }, randomBytes(300_000));
    for (let n = 0; n < 20; n += 1) await upload(at, at.source);
    // Redis does not know this one any more.
    const bytes = png();
    const checksum = { sha256: digest('sha256', bytes), md5: digest('md5', bytes) };
    const unknown = aRecord({ title: 'unknown here', bytes: bytes.length, checksum });
    await put(at.source.host, 'image', unknown.publicId, marked(unknown), bytes);
    const before = await all(at);
    const there = new Map(
      await Promise.all(before.map(async (r) => [r.id, await bytesOn(at.source, r)] as const)),
    );

    const { exitCode, report, text } = await at.run();
    expect({ exitCode, report }).toMatchObject({
      exitCode: 0,
      report: { complete: true, listed: 24, moved: 24, failed: 0, problems: [], to: at.target.host.identity },
    });
    expect(text).toContain('24 file(s)');
    const after = await all(at);
    expect(after.filter(({ id }) => id !== unknown.id).map(kept)).toEqual(before.map(kept));
    expect(await at.catalog.find(unknown.id)).toMatchObject({ title: 'unknown here', status: 'verified' });
    for (const record of after) {
      expect(record.status).toBe('verified');
      expect(record.url.startsWith('/media/')).toBe(from === 'cloudinary');
      if (from === 'cloudinary') continue;
      // As an upload would be shown there.
      const shown = await at.emulator.assets.byAssetId(record.assetId);
      const displayName = record.title === '' ? record.filename : record.title;
      expect(shown).toMatchObject({ assetFolder: 'holdfast', displayName });
    }
    for (const record of before) {
      expect(await bytesOn(at.source, record)).toBe(there.get(record.id));
      expect(await bytesOn(at.target, (await at.catalog.find(record.id)) ?? record)).toBe(
        there.get(record.id),
      );
    }
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 0, already: 24 } });
  });

  it('keeps the ids of files that others put there, also when Redis is emptied after it', async () => {
    const at = await open();
    const foreign = await put(
      at.source.host,
      'image',
      'cats/tom',
      { context: { caption: 'Tom', mood: 'grim' }, tags: ['cat'] },
      png(),
    );
    const known = recordFromAsset(foreign, 'holdfast', 'sync');
    await at.catalog.save(known);
    expect(await at.run()).toMatchObject({ exitCode: 0 });
    const moved = await at.catalog.find(known.id);
    expect(kept(moved)).toEqual(kept(known));
    expect(moved?.assetId).not.toBe(known.assetId);
    const asset = await at.target.host.find({ publicId: 'cats/tom', resourceType: 'image' });
    expect(asset?.context).toMatchObject({ mood: 'grim' });
    expect(asset === null ? null : lasting(recordFromAsset(asset, 'holdfast', 'sync'))).toEqual(
      lasting(moved),
    );
  });

  it('leaves a full sync nothing to change, and the next emptied Redis the same catalog', async () => {
    const at = await open();
    for (let n = 0; n < 3; n += 1) await upload(at, at.source);
    await put(at.source.host, 'image', 'cats/tom', { context: { caption: 'Tom' }, tags: ['cat'] }, png());
    expect(await at.run()).toMatchObject({
      exitCode: 0,
      report: { syncRunId: expect.any(String) as unknown },
    });
    const moved = (await all(at)).map(lasting);
    expect(await at.sync()).toMatchObject({
      result: 'ok',
      unchanged: 4,
      created: 0,
      updated: 0,
      findings: [],
    });
    await sandbox.client.flushall();
    expect(await at.sync()).toMatchObject({ created: 4 });
    expect((await all(at)).map(lasting)).toEqual(moved);
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
  });

  it('takes along what was edited meanwhile, before and while it runs', async () => {
    const at = await open();
    const before = await upload(at, at.source);
    const during = await upload(at, at.source);
    await at.catalog.saveIf({ ...before, title: 'not pushed', revision: 2 }, before);
    let edited = false;
    await moveBeside(at, async (id) => {
      if (id !== during.id || edited) return;
      edited = true;
      const read = await at.catalog.find(id);
      if (read !== null) await at.catalog.saveIf({ ...read, title: 'edited meanwhile', revision: 2 }, read);
    });
    expect(edited).toBe(true);
    for (const [id, title] of [
      [before.id, 'not pushed'],
      [during.id, 'edited meanwhile'],
    ] as const) {
      const record = await at.catalog.find(id);
      expect(record).toMatchObject({ title, revision: 2, pushedRevision: 2, status: 'verified' });
      const asset = record === null ? null : await at.target.host.find(record);
      expect(readHostMetadata(asset ?? { context: {}, tags: [] })?.fields).toMatchObject({
        title,
        revision: 2,
      });
    }
    expect(await sandbox.client.exists(at.keys.unpushed)).toBe(0);
  });

  it('brings back nothing that was deleted, before and while it runs, and takes no upload that was cut off', async () => {
    const at = await open();
    const waits = await upload(at, at.source);
    const during = await upload(at, at.source);
    const gone = await upload(at, at.source);
    await at.catalog.beginDelete(waits.id);
    // Redis was emptied since: only the note on the earlier host tells.
    await noteDeletions(at.source.host, 'holdfast', [gone.id], never);
    await sandbox.client.del(at.keys.record(gone.id));
    const cut = aRecord();
    const mark = { state: 'started', deadlineSeconds: 60 } as const;
    await put(at.source.host, 'image', cut.publicId, marked(cut, mark), png());
    await moveBeside(at, async (id) => {
      if (id === during.id) await at.catalog.beginDelete(id);
    });
    const { exitCode, report } = await at.run();
    expect({ exitCode, report }).toMatchObject({
      exitCode: 0,
      report: { moved: 0, deleted: 3, uncommitted: 1, failed: 0 },
    });
    expect(await all(at)).toEqual([]);
    for (const record of [waits, during, gone, cut]) {
      expect(await at.target.host.find(record)).toBeNull();
      expect(await at.source.host.find(record)).not.toBeNull();
      expect(await at.catalog.isTombstoned(record.id)).toBe(record !== cut);
    }
    expect(await at.sync()).toMatchObject({ created: 0 });
  });

  it('brings back nothing that was deleted after the switch, also where Redis was emptied since', async () => {
    const at = await open();
    const gone = await upload(at, at.source);
    await at.catalog.beginDelete(gone.id);
    const { host } = at.target;
    const deletionNotes = createDeletionNotes(
      { host, redis: sandbox.client, keys: at.keys },
      { folder: 'holdfast', snapshots: true },
      silentLogger,
    );
    expect(await removeRecord({ catalog: at.catalog, host, deletionNotes }, gone, never)).toBe(
      'on another host',
    );
    await sandbox.client.flushall();
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 0, deleted: 1, failed: 0 } });
    expect(await all(at)).toEqual([]);
    expect(await host.find(gone)).toBeNull();
  });

  it('waits for a record with an unfinished job: the job would bring the earlier place back', async () => {
    const at = await open();
    const free = await upload(at, at.source);
    const inHand = await upload(at, at.source);
    // As a PATCH leaves it until its verification.
    const edited = { ...inHand, title: 'edited', revision: 2 };
    await at.intents.accept({ record: inHand, committed: true });
    await at.catalog.saveIf(edited, inHand);
    const running = at.run();
    await expect
      .poll(async () => isThere(at.target, (await at.catalog.find(free.id))?.url ?? ''), { interval: 10 })
      .toBe(true);
    expect(await at.catalog.find(inHand.id)).toMatchObject({ url: inHand.url });
    await at.catalog.markVerified('fsynced', new Date(), [{ id: inHand.id, revision: 2, attempts: 1 }]);
    expect(await running).toMatchObject({ exitCode: 0, report: { moved: 2, busy: 0 } });
    const moved = await at.catalog.find(inHand.id);
    expect(moved).toMatchObject({ title: 'edited', revision: 2, pushedRevision: 2 });
    expect(isThere(at.target, moved?.url ?? '')).toBe(true);
  });

  it('finds again what a forced sync had marked missing', async () => {
    const at = await open();
    const record = await upload(at, at.source);
    await at.catalog.markMissing([record.id], null);
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 1 } });
    expect(await at.catalog.find(record.id)).toMatchObject({ status: 'verified', title: record.title });
  });

  it('only counts in a dry run, and only forgets where it is told to', async () => {
    const at = await open();
    await upload(at, at.source);
    const before = await all(at);
    expect(await at.run({ 'dry-run': true })).toMatchObject({
      exitCode: 0,
      report: { moved: 1, dryRun: true },
    });
    expect(await all(at)).toEqual(before);
    expect(await at.catalogHost.read()).toBe(at.source.host.identity);
    expect(await at.run({ forget: true })).toMatchObject({ exitCode: 0, report: { forgotten: true } });
    expect(await at.catalogHost.read()).toBe(at.target.host.identity);
    expect(await at.sync({ force: true })).toMatchObject({ result: 'ok', missing: 1 });
  });

  it('reports files that cannot be copied, copies the others, and leaves the catalog where it is', async () => {
    const at = await open();
    const good = await upload(at, at.source);
    const damaged = await upload(at, at.source);
    const lost = await upload(at, at.source);
    await at.damage(damaged);
    await at.source.host.remove(lost);
    const taken = await put(at.source.host, 'image', 'cats/tom', { context: {}, tags: [] }, png());
    await put(at.target.host, 'image', 'cats/tom', { context: {}, tags: [] }, png());
    const { exitCode, report } = await at.run();
    expect({ exitCode, report }).toMatchObject({
      exitCode: 1,
      report: { complete: false, moved: 1, failed: 3 },
    });
    const codes = (report['problems'] as { publicId: string; code: string }[]).map((p) => [
      p.publicId,
      p.code,
    ]);
    expect(Object.fromEntries(codes)).toEqual({
      [damaged.publicId]: 'HOST_CONTENT_MISMATCH',
      [lost.publicId]: 'MEDIA_NOT_FOUND',
      [taken.publicId]: 'HOST_REJECTED',
    });
    expect(await at.catalog.find(good.id)).toMatchObject({ status: 'verified' });
    expect(await at.target.host.find(damaged)).toBeNull();
    expect(await at.catalogHost.read()).toBe(at.source.host.identity);
    // They are where they were.
    expect((await at.sync()).result).toBe('partial');
    expect((await at.catalog.counts()).byStatus.missing).toBe(0);
  });

  it.each([
    ['put', 'before'],
    ['put', 'after'],
    ['annotate', 'before'],
    ['annotate', 'after'],
    ['saveMany', 'before'],
    ['saveMany', 'after'],
  ] as const)('goes on where it was killed: at %s, %s it', async (step, when) => {
    const at = await open();
    for (let n = 0; n < 12; n += 1) await upload(at, at.source);
    const before = await all(at);
    let left = 3;
    const killing = async <T>(work: () => Promise<T>): Promise<T> => {
      const isLast = (left -= 1) <= 0;
      if (isLast && when === 'before') throw new Error('killed');
      const result = await work();
      if (isLast) throw new Error('killed');
      return result;
    };
    await expect(
      moveWith(at, ({ host, catalog }) => ({
        host: {
          ...host,
          ...(step === 'put' ? { put: (request) => killing(() => host.put(request)) } : {}),
          ...(step === 'annotate' ? { annotate: (...of) => killing(() => host.annotate(...of)) } : {}),
        },
        catalog: {
          ...catalog,
          ...(step === 'saveMany' ? { saveMany: (...of) => killing(() => catalog.saveMany(...of)) } : {}),
        },
      })),
    ).rejects.toThrow('killed');
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { failed: 0 } });
    expect((await all(at)).map(kept)).toEqual(before.map(kept));
    for (const record of await all(at)) {
      expect(isThere(at.target, record.url)).toBe(true);
      expect(record.status).toBe('verified');
    }
    expect(await at.sync()).toMatchObject({ result: 'ok', listed: 12, unchanged: 12 });
  });
});

describe('the command', () => {
  it('survives being killed in the middle, as a process of its own', async () => {
    const at = await twoHosts();
    await at.catalogHost.set('local');
    for (let n = 0; n < 30; n += 1) await upload(at, at.local);
    const before = await all(at);
    await at.emulator.configure({ responseDelayMs: 30 });
    const start = () => {
      const args = [HOLDFAST, 'move', '--from', 'local', '--json'];
      const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'], ...at.cloud.env } });
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      onTestFinished(() => void child.kill('SIGKILL'));
      return {
        child,
        ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout })),
      };
    };
    const first = start();
    await expect
      .poll(async () => (await all(at)).filter(({ url }) => isThere(at.cloud, url)).length, { interval: 5 })
      .toBeGreaterThan(0);
    first.child.kill('SIGKILL');
    expect(await first.ended).toEqual({ code: null, stdout: '' });
    expect((await all(at)).every(({ url }) => isThere(at.cloud, url))).toBe(false);
    expect(await at.catalogHost.read()).toBe('local');
    // Its lease would run out within 20 seconds.
    await sandbox.client.del(at.keys.syncLease);
    const { code, stdout } = await start().ended;
    expect({ code, report: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 0,
      report: { complete: true },
    });
    expect((await all(at)).map(kept)).toEqual(before.map(kept));
    expect(await at.emulator.assets.count()).toBe(30);
  });

  it('copies each file once though the answers of the host are lost', async () => {
    const at = await twoHosts();
    for (let n = 0; n < 5; n += 1) await upload(at, at.local);
    for (const endpoint of ['upload', 'explicit'] as const)
      await at.emulator.faults.add({ kind: 'drop-after-success', match: { endpoint }, count: 2, skip: 1 });
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({ exitCode: 0 });
    expect(await at.emulator.assets.count()).toBe(5);
  });

  it('copies from one cloud to another', async () => {
    const at = await twoHosts();
    await at.catalogHost.set('cloudinary:emulated-cloud');
    const record = await upload(at, at.cloud);
    const second = await startCloudinaryEmulator({ cloudName: 'second-cloud' });
    onTestFinished(() => second.close());
    const MOVE_FROM_CLOUDINARY_URL = at.emulator.cloudinaryUrl;
    const env = { ...at.cloud.env, CLOUDINARY_URL: second.cloudinaryUrl, MOVE_FROM_CLOUDINARY_URL };
    expect(await move.run(env, { from: 'cloudinary' }, never)).toMatchObject({
      exitCode: 0,
      report: { from: 'cloudinary:emulated-cloud', to: 'cloudinary:second-cloud', moved: 1 },
    });
    const moved = await at.catalog.find(record.id);
    expect(kept(moved)).toEqual(kept(record));
    expect(moved?.url).toContain('/second-cloud/');
    expect(await at.emulator.assets.count()).toBe(1);
    expect(await at.catalogHost.read()).toBe('cloudinary:second-cloud');
  });

  it('reads files by a signed address where the account does not deliver them', async () => {
    const at = await twoHosts();
    const record = await upload(at, at.cloud);
    await at.emulator.faults.add({ kind: 'error', status: 401, match: { endpoint: 'deliver' }, count: null });
    expect(await move.run(at.local.env, { from: 'cloudinary' }, never)).toMatchObject({ exitCode: 0 });
    expect(await at.catalog.find(record.id)).toMatchObject({ status: 'verified' });
  });

  it('leaves what the earlier account keeps from it for the next time, and says why', async () => {
    const at = await twoHosts();
    await at.catalogHost.set('cloudinary:emulated-cloud');
    await upload(at, at.cloud);
    await at.emulator.faults.add({ kind: 'cut-response', match: { endpoint: 'deliver' }, count: null });
    const { exitCode, report } = await move.run(at.local.env, { from: 'cloudinary' }, never);
    expect({ exitCode, report }).toMatchObject({ exitCode: 1, report: { moved: 0, failed: 1 } });
    expect(await filesOf(at)).toEqual([]);
    await at.emulator.faults.clear();
    expect(await move.run(at.local.env, { from: 'cloudinary' }, never)).toMatchObject({ exitCode: 0 });
  });

  it('passes over a file whose context the target cannot take, and copies the others', async () => {
    const at = await twoHosts();
    await at.catalogHost.set('local');
    const unwritable = { context: { 'a=b': 'c' }, tags: [] };
    await put(at.local.host, 'image', 'cats/tom', unwritable, png());
    const record = await upload(at, at.local);
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({
      exitCode: 1,
      report: {
        moved: 1,
        failed: 1,
        error: null,
        problems: [{ publicId: 'cats/tom', code: 'HOST_CONTEXT_UNWRITABLE' }],
      },
    });
    expect(kept(await at.catalog.find(record.id))).toEqual(kept(record));
  });

  it('notes many deletions that wait for the earlier host in one file there', async () => {
    const at = await twoHosts();
    await at.catalogHost.set('local');
    for (let n = 0; n < 3; n += 1) await at.catalog.beginDelete((await upload(at, at.local)).id);
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({
      exitCode: 0,
      report: { deleted: 3 },
    });
    expect((await at.local.host.listFiles('')).map(({ name }) => name)).toEqual([
      expect.stringMatching(/[.]deletions-3$/),
    ]);
    expect(await all(at)).toEqual([]);
  });

  it('is used wrongly without a host to copy from, and with the configured one', async () => {
    const { local, cloud } = await twoHosts();
    for (const [env, args] of [
      [cloud.env, {}],
      [cloud.env, { from: 'somewhere' }],
      [local.env, { from: 'local' }],
      [{ ...cloud.env, MOVE_FROM_CLOUDINARY_URL: cloud.env['CLOUDINARY_URL'] }, { from: 'cloudinary' }],
      [cloud.env, { from: 'local', forget: true, 'dry-run': true }],
    ] as const)
      await expect(move.run(env, args, never)).rejects.toBeInstanceOf(UsageError);
    for (const MOVE_FROM_CLOUDINARY_URL of ['', 'not-one'])
      await expect(
        move.run({ ...local.env, MOVE_FROM_CLOUDINARY_URL }, { from: 'cloudinary' }, never),
      ).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        errors: [{ path: 'MOVE_FROM_CLOUDINARY_URL' }],
      });
  });
});

const isThere = ({ host }: Place, url: string): boolean =>
  url.startsWith('/media/') === (host.kind === 'local');
