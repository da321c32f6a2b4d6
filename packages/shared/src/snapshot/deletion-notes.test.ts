import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { idOfFoundAsset, newMediaId } from '../media/index.js';
import { HostFailure, type MediaHost } from '../media-host/index.js';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import { createDeletionNotes, type DeletionNotes } from './deletion-notes.js';
import {
  decodeDeletions,
  encodeDeletions,
  filesToJoin,
  FULL_FILE,
  joinDeletions,
  listedDeletions,
} from './deletion-files.js';
import { deletionFiles, deletionsName, manifestName } from './snapshot-names.js';

const folder = 'a';
const keys = redisKeys('holdfast');
const soon = () => AbortSignal.timeout(10_000);
const never = new AbortController().signal;

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());
beforeEach(() => redis.client.flushall());

type FilesHost = Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;

/** A host of files, and the most that it ever had. */
function filesHost() {
  const files = new Map<string, Buffer>();
  const seen: { most: number; puts: string[] } = { most: 0, puts: [] };
  const host: FilesHost = {
    putFile: async (name, body) => {
      seen.puts.push(name);
      await Promise.resolve();
      if (!files.has(name)) files.set(name, body);
      seen.most = Math.max(seen.most, files.size);
    },
    readFile: (name) => Promise.resolve(files.get(name) ?? null),
    removeFile: (name) => Promise.resolve(files.delete(name) ? 'removed' : 'absent'),
  };
  const noted = (): Set<string> => new Set([...files.values()].flatMap(decodeDeletions));
  return { files, seen, host, noted };
}

/** What one process of a deployment deletes with. */
function notesOn(host: FilesHost, snapshots = true): DeletionNotes {
  const notes = createDeletionNotes({ host, redis: redis.client, keys }, { folder, snapshots }, silentLogger);
  onTestFinished(() => notes.close());
  return notes;
}

const listed = () => listedDeletions(redis.client, keys);
const listedNames = (): Promise<string[]> => redis.client.zrange(keys.deletions, '0', '-1');
const someIds = (count: number): string[] => Array.from({ length: count }, () => newMediaId());

/** One deletion, in a file of its own. */
async function putNote(host: FilesHost, id: string): Promise<void> {
  const name = deletionsName(folder, 1, newMediaId());
  await host.putFile(name, encodeDeletions([id]));
  await listed().add([name]);
}

/** Deletes all of these, a few at once. */
async function addAll(notes: DeletionNotes, ids: readonly string[], atOnce: number): Promise<void> {
  const left = [...ids];
  const lane = async (): Promise<void> => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) await notes.add(id, soon());
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

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
  ])('are written once more under the same name where the host %s', async (_case, failure) => {
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
    for (let tries = 0; tries < 3; tries += 1) await expect(notes.add(first, soon())).rejects.toBe(failure);
    expect(new Set(seen.puts).size).toBe(1);
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

  it('are written where the host refuses the file of an earlier deletion for good', async () => {
    const { host, noted } = filesHost();
    const refusal = new HoldfastError('HOST_REJECTED', 'no', { cause: new HostFailure('no', 400, null) });
    const failures = [new HoldfastError('HOST_TIMEOUT'), refusal];
    const putFile: FilesHost['putFile'] = (...args) => {
      const failure = failures.shift();
      return failure === undefined ? host.putFile(...args) : Promise.reject(failure);
    };
    const notes = notesOn({ ...host, putFile });
    const [first, second] = someIds(2) as [string, string];
    await expect(notes.add(first, soon())).rejects.toMatchObject({ code: 'HOST_TIMEOUT' });
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

describe('the files of deletions', () => {
  it('stay few, however many processes delete, and lack nothing at any time', async () => {
    const { host, seen, noted, files } = filesHost();
    const processes = Array.from({ length: 6 }, () => {
      const notes = notesOn(host);
      const ids = someIds(400);
      return { notes, ids };
    });
    await Promise.all(processes.map(({ notes, ids }) => addAll(notes, ids, 2)));
    const all = processes.flatMap(({ ids }) => ids);
    expect(noted()).toEqual(new Set(all));
    expect(seen.puts.length).toBeGreaterThan(500);
    expect(seen.most).toBeLessThanOrEqual(42);
    await Promise.all(processes.map(({ notes }) => notes.close()));
    expect(new Set(await listedNames())).toEqual(new Set(files.keys()));
  });

  it('stay few where Redis is emptied again and again', async () => {
    const { host, seen, noted, files } = filesHost();
    const notes = notesOn(host);
    const ids = someIds(300);
    for (let start = 0; start < ids.length; start += 100) {
      await addAll(notes, ids.slice(start, start + 100), 1);
      await redis.client.flushall();
      // Only the second time a recovery lists what there is.
      if (start > 0) await listed().add([...files.keys()]);
    }
    expect(noted()).toEqual(new Set(ids));
    expect(seen.most).toBeLessThanOrEqual(100);
  });

  it.each([
    ['putFile', 1],
    ['removeFile', 1],
    ['removeFile', 9],
  ] as const)(
    'lose nothing where a process that joins them dies at its call of %s, the %i.',
    async (call, nth) => {
      const { host, noted, files } = filesHost();
      const ids = someIds(10);
      for (const id of ids) await putNote(host, id);
      let left: number = nth;
      const died = new Error('killed');
      const dead: FilesHost = {
        putFile: () => Promise.reject(died),
        readFile: () => Promise.reject(died),
        removeFile: () => Promise.reject(died),
      };
      let alive: FilesHost = host;
      /** Done by the host, and nothing after it. */
      const dieAfter = async <T>(name: keyof FilesHost, work: Promise<T>): Promise<T> => {
        const result = await work;
        if (name === call) left -= 1;
        if (name !== call || left > 0) return result;
        alive = dead;
        throw died;
      };
      const dying: FilesHost = {
        putFile: (...args) => dieAfter('putFile', alive.putFile(...args)),
        readFile: (...args) => dieAfter('readFile', alive.readFile(...args)),
        removeFile: (...args) => dieAfter('removeFile', alive.removeFile(...args)),
      };
      await expect(joinDeletions({ host: dying, listed: listed(), folder }, never)).rejects.toBe(died);
      expect(noted()).toEqual(new Set(ids));
      const names = new Set(await listedNames());
      expect([...files.keys()].filter((name) => !names.has(name))).toEqual([]);
      // Another process, once the lease of the dead one has run out.
      await redis.client.del(keys.deletionsLease);
      await joinDeletions({ host, listed: listed(), folder }, never);
      expect(noted()).toEqual(new Set(ids));
      expect(files.size).toBeLessThanOrEqual(2);
    },
  );

  it.each([
    ['denies', (): Buffer | null => null],
    ['gives half of', (body: Buffer): Buffer | null => body.subarray(0, body.length / 2)],
  ])('stay where the host %s one that it has', async (_case, spoil) => {
    const { host, noted, files } = filesHost();
    const [denied, ...ids] = someIds(5) as [string, ...string[]];
    await putNote(host, denied);
    const [name] = [...files.keys()];
    for (const id of ids) await putNote(host, id);
    const lying: FilesHost = {
      ...host,
      readFile: async (...args) => {
        const body = await host.readFile(...args);
        return args[0] === name && body !== null ? spoil(body) : body;
      },
    };
    await joinDeletions({ host: lying, listed: listed(), folder }, never);
    expect(noted()).toEqual(new Set([denied, ...ids]));
    expect(files.size).toBe(2);
  });

  it('are joined under one name, however often a host fails', async () => {
    const { host, seen, noted, files } = filesHost();
    const ids = someIds(6);
    for (const id of ids) await putNote(host, id);
    const before = seen.puts.length;
    const failure = new HoldfastError('HOST_TIMEOUT');
    const failing: FilesHost = {
      ...host,
      putFile: async (...args) => {
        await host.putFile(...args);
        throw failure;
      },
    };
    for (let tries = 0; tries < 3; tries += 1)
      await expect(joinDeletions({ host: failing, listed: listed(), folder }, never)).rejects.toBe(failure);
    expect(new Set(seen.puts.slice(before)).size).toBe(1);
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(files.size).toBe(1);
    expect(noted()).toEqual(new Set(ids));
  });

  it('keep the joined one where a process died before it removed any other', async () => {
    const { host, noted, files } = filesHost();
    const ids = someIds(10);
    for (const id of ids) await putNote(host, id);
    const died = new Error('killed');
    const dying: FilesHost = { ...host, removeFile: () => Promise.reject(died) };
    await expect(joinDeletions({ host: dying, listed: listed(), folder }, never)).rejects.toBe(died);
    expect(files.size).toBe(11);
    for (let again = 0; again < 2; again += 1) {
      await redis.client.del(keys.deletionsLease);
      await joinDeletions({ host, listed: listed(), folder }, never);
      expect(noted()).toEqual(new Set(ids));
      expect(await listedNames()).toEqual([...files.keys()]);
    }
    expect(files.size).toBe(1);
  });

  it('are joined or forgotten a minute after their process died while it wrote them', async () => {
    const { host, noted, files } = filesHost();
    const ids = someIds(4) as [string, string, string, string];
    for (const id of ids.slice(0, 2)) await putNote(host, id);
    const [written, lost, young] = [newMediaId(), newMediaId(), newMediaId()].map((id) =>
      deletionsName(folder, 1, id),
    ) as [string, string, string];
    await host.putFile(written, encodeDeletions([ids[2]]));
    await host.putFile(young, encodeDeletions([ids[3]]));
    for (const [name, age] of [
      [written, 61_000],
      [lost, 61_000],
      [young, 30_000],
    ] as const)
      await redis.client.zadd(keys.deletions, age - Date.now(), name);
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(noted()).toEqual(new Set(ids));
    expect(files.size).toBe(2);
    expect(new Set(await listedNames())).toEqual(new Set(files.keys()));
    expect(files.has(young)).toBe(true);
  });

  it('are joined by one process at a time', async () => {
    const { host, files } = filesHost();
    for (const id of someIds(4)) await putNote(host, id);
    await redis.client.set(keys.deletionsLease, 'another');
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(files.size).toBe(4);
    await redis.client.del(keys.deletionsLease);
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(files.size).toBe(1);
    expect(await redis.client.exists(keys.deletionsLease)).toBe(0);
  });

  it('cost the same after a million deletions', () => {
    let open: { name: string; count: number }[] = [];
    let copied = 0;
    let full = 0;
    let largest = 0;
    let fewest = Infinity;
    for (let deletions = 0; deletions < 1_000_000; deletions += 1) {
      open.push({ name: '', count: 1 });
      if (open.length < 24) continue;
      const joined = filesToJoin(open);
      const count = joined.reduce((sum, file) => sum + file.count, 0);
      fewest = Math.min(fewest, joined.length);
      largest = Math.max(largest, count);
      copied += count;
      open = open.filter((file) => !joined.includes(file));
      if (count >= FULL_FILE) full += 1;
      else open.push({ name: '', count });
    }
    expect(fewest).toBeGreaterThanOrEqual(7);
    expect(largest).toBeLessThan(2 * FULL_FILE);
    expect(full).toBeLessThanOrEqual(20);
    expect(copied / 1_000_000).toBeLessThan(16);
  });
});

it('finds the deletions of a deployment among its other files and those of others, also of version 0.1.0', () => {
  const id = '01K00000000000000000000000';
  const file = (name: string) => ({ name, bytes: 1, storedAt: '2026-01-01T00:00:00.000Z' });
  const files = [
    `holdfast-snapshots/a/${id}.deleted`,
    'holdfast-snapshots/a/cld-0123abcd.deleted',
    'holdfast-snapshots/a/no id.deleted',
    `holdfast-snapshots/a/b/${id}.deleted`,
    deletionsName('a', 12, id),
    deletionsName('a/b', 12, id),
    deletionsName('ab', 12, id),
    manifestName('a', id),
  ].map(file);
  expect(deletionFiles('a', files).map(({ id: noted, count }) => [noted, count])).toEqual([
    [id, 1],
    ['cld-0123abcd', 1],
    [null, 12],
  ]);
});
