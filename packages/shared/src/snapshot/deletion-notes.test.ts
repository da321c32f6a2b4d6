import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { filesHost, type FilesHost } from '../../test/support/files-host.js';
import { idOfFoundAsset, newMediaId } from '../media/index.js';
import { HostFailure } from '../media-host/index.js';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createDeletionNotes, listedDeletions, type DeletionNotes } from './deletion-notes.js';

const folder = 'a';
const keys = redisKeys('holdfast');
const soon = () => AbortSignal.timeout(10_000);

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

/** What one process of a deployment deletes with. */
function notesOn(host: FilesHost, snapshots = true): DeletionNotes {
  const notes = createDeletionNotes({ host, redis: redis.client, keys }, { folder, snapshots }, silentLogger);
  onTestFinished(() => notes.close());
  return notes;
}

const listed = () => listedDeletions(redis.client, keys);
const listedNames = (): Promise<string[]> => redis.client.zrange(keys.deletions, '0', '-1');
const someIds = (count: number): string[] => Array.from({ length: count }, () => newMediaId());

describe('the notes of deletions', () => {
  it('share a file where they come together, and are on the host before they count', async () => {
    const { host, noted, files } = filesHost();
    const notes = notesOn(host);
    const ids = [...someIds(20), idOfFoundAsset('0123abcd')];
    await Promise.all(
      ids.map(async (id) => {
        await notes.add(id, soon());
        expect(noted()).toContain(id);
      }),
    );
    expect(files.size).toBe(1);
    expect(await listedNames()).toEqual([...files.keys()]);
    expect(await listed().sizes()).toEqual({ files: 1, deletions: 21 });
  });

  it('are not written where there are no snapshots', async () => {
    const { host, files } = filesHost();
    await notesOn(host, false).add(newMediaId(), soon());
    expect(files.size).toBe(0);
  });

  it.each([
    ['a full disk', new HoldfastError('STORAGE_FULL')],
    [
      'a host that takes no such files',
      new HoldfastError('HOST_REJECTED', 'no', { cause: new HostFailure('no', 403, null) }),
    ],
  ])('keep no media from being removed because of %s', async (_case, refusal) => {
    const { host } = filesHost();
    const notes = notesOn({ ...host, putFile: () => Promise.reject(refusal) });
    await expect(notes.add(newMediaId(), soon())).resolves.toBeUndefined();
    expect(await listedNames()).toEqual([]);
  });

  it.each([
    ['is silent', new HoldfastError('HOST_TIMEOUT')],
    ['fails', new HoldfastError('HOST_REJECTED', 'busy', { cause: new HostFailure('busy', 503, null) })],
  ])('are written again where the host %s and has stored them, and stay few', async (_case, failure) => {
    const { host, seen, noted, files } = filesHost();
    let fails = true;
    const notes = notesOn({
      ...host,
      putFile: async (...args) => {
        await host.putFile(...args);
        if (fails) throw failure;
      },
    });
    const [first, second] = someIds(2) as [string, string];
    for (let tries = 0; tries < 50; tries += 1) await expect(notes.add(first, soon())).rejects.toBe(failure);
    // Nobody joins them meanwhile, for the same reason.
    expect(seen.most).toBeLessThanOrEqual(41);
    fails = false;
    await notes.add(second, soon());
    expect(noted()).toEqual(new Set([first, second]));
    expect((await listedNames()).toSorted()).toEqual([...files.keys()].toSorted());
  });

  it('are written again where the host has stored other bytes', async () => {
    const { host, files, noted } = filesHost();
    let spoils = 1;
    const notes = notesOn({
      ...host,
      putFile: async (name, body) => {
        const stored = files.get(name) ?? (spoils-- > 0 ? Buffer.from('other bytes') : body);
        files.set(name, stored);
        await Promise.resolve();
        if (stored !== body) throw new HoldfastError('HOST_CONTENT_MISMATCH');
      },
    });
    const id = newMediaId();
    await notes.add(id, soon());
    expect(noted()).toEqual(new Set([id]));
    expect(await listedNames()).toEqual([...files.keys()]);
  });

  it('are written where the host has refused an earlier one for good', async () => {
    const { host, noted } = filesHost();
    const refusal = new HoldfastError('HOST_REJECTED', 'no', { cause: new HostFailure('no', 400, null) });
    const failures = [refusal];
    const putFile: FilesHost['putFile'] = (...args) => {
      const failure = failures.shift();
      return failure === undefined ? host.putFile(...args) : Promise.reject(failure);
    };
    const notes = notesOn({ ...host, putFile });
    const [first, second] = someIds(2) as [string, string];
    await notes.add(first, soon());
    await notes.add(second, soon());
    expect(noted()).toEqual(new Set([second]));
  });

  it('keep nobody waiting who has no time left', async () => {
    const { host } = filesHost();
    const signal = AbortSignal.abort(new Error('enough'));
    const notes = notesOn({ ...host, putFile: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')) });
    await expect(notes.add(newMediaId(), signal)).rejects.toThrow('enough');
  });

  it('fail where Redis cannot list them, so that they are tried again', async () => {
    const { host, files } = filesHost();
    const notes = notesOn(host);
    const client = redis.client.duplicate({ lazyConnect: true });
    client.disconnect();
    const away = createDeletionNotes(
      { host, redis: client, keys },
      { folder, snapshots: true },
      silentLogger,
    );
    await expect(away.add(newMediaId(), soon())).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' });
    expect(files.size).toBe(0);
    await notes.add(newMediaId(), soon());
    expect(files.size).toBe(1);
  });
});
