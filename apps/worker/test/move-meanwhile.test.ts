import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { readHostMetadata } from '@holdfast/shared/media';
import { removeRecord } from '@holdfast/shared/removal';
import { createDeletionNotes } from '@holdfast/shared/snapshot';
import { aRecord, proofOf, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';

import {
  all,
  isThere,
  kept,
  marked,
  moveBeside,
  moveWith,
  openMove,
  png,
  put,
  upload,
} from './support/move-rig.js';

const never = new AbortController().signal;
let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe.each(['local', 'cloudinary'] as const)('a move from %s, while others work', (from) => {
  it('moves along what was edited meanwhile, before and while it runs', async () => {
    const at = await openMove(sandbox, from);
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

  it('brings back nothing that was deleted, before and while it runs, and moves no upload that was cut off', async () => {
    const at = await openMove(sandbox, from);
    const waits = await upload(at, at.source);
    const during = await upload(at, at.source);
    const gone = await upload(at, at.source);
    await at.catalog.beginDelete(waits.id);
    // Redis was emptied since: only the note on the earlier host tells.
    const there = { host: { folder: 'holdfast' }, sync: { snapshots: true } };
    await createDeletionNotes(at.source.host, there, silentLogger).add(gone.id, never);
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
    const at = await openMove(sandbox, from);
    const gone = await upload(at, at.source);
    await at.catalog.beginDelete(gone.id);
    const { host } = at.target;
    const deletionNotes = createDeletionNotes(
      host,
      { host: { folder: 'holdfast' }, sync: { snapshots: true } },
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

  it('passes over a record with an unfinished job, which would bring the earlier place back, until it is done', async () => {
    const at = await openMove(sandbox, from);
    const inHand = await upload(at, at.source);
    // As a PATCH leaves it until its verification.
    const edited = { ...inHand, title: 'edited', revision: 2 };
    await at.intents.accept({ record: inHand, committed: true });
    await at.catalog.saveIf(edited, inHand);
    await upload(at, at.source);
    expect(await at.run()).toMatchObject({ exitCode: 1, report: { moved: 1, busy: 1 } });
    expect(await at.catalog.find(inHand.id)).toMatchObject({ url: inHand.url });
    await at.catalog.markVerified('fsynced', new Date(), [proofOf(edited)]);
    expect(await at.run()).toMatchObject({ exitCode: 0, report: { moved: 1, busy: 0 } });
    const moved = await at.catalog.find(inHand.id);
    expect(moved).toMatchObject({ title: 'edited', revision: 2, pushedRevision: 2 });
    expect(isThere(at.target, moved?.url ?? '')).toBe(true);
  });

  it.each([
    ['put', 'before'],
    ['put', 'after'],
    ['annotate', 'before'],
    ['annotate', 'after'],
    ['saveMany', 'before'],
    ['saveMany', 'after'],
  ] as const)('goes on where it was killed: at %s, %s it', async (step, when) => {
    const at = await openMove(sandbox, from);
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
