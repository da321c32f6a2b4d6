import { EventEmitter, once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { filesHost, type FilesHost } from '../../test/support/files-host.js';
import { newMediaId } from '../media/index.js';
import { redisKeys } from '../redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../testing/index.js';
import {
  createDeletionNotes,
  encodeDeletions,
  joinDeletions,
  listedDeletions,
  type DeletionNotes,
} from './deletion-notes.js';
import { deletionsName } from './snapshot-names.js';

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
function notesOn(host: FilesHost): DeletionNotes {
  const notes = createDeletionNotes(
    { host, redis: redis.client, keys },
    { folder, snapshots: true },
    silentLogger,
  );
  onTestFinished(() => notes.close());
  return notes;
}

const listed = () => listedDeletions(redis.client, keys);
const listedNames = (): Promise<string[]> => redis.client.zrange(keys.deletions, '0', '-1');
const someIds = (count: number): string[] => Array.from({ length: count }, () => newMediaId());

const never = new AbortController().signal;

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
    // So many are waited for, and each process may be writing one.
    expect(seen.most).toBeLessThanOrEqual(40 + 6 + 1);
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

  it('are joined or forgotten where a process died while it wrote them', async () => {
    const { host, noted, files } = filesHost();
    const ids = someIds(3) as [string, string, string];
    for (const id of ids.slice(0, 2)) await putNote(host, id);
    const [written, lost] = [newMediaId(), newMediaId()].map((id) => deletionsName(folder, 1, id)) as [
      string,
      string,
    ];
    await host.putFile(written, encodeDeletions([ids[2]]));
    await listed().add([written, lost]);
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(noted()).toEqual(new Set(ids));
    expect(files.size).toBe(1);
    expect(await listedNames()).toEqual([...files.keys()]);
  });

  it('are listed also where a join meets their names before they are written, and ends after that', async () => {
    const { host, noted, files } = filesHost();
    const [other, id] = someIds(2) as [string, string];
    await putNote(host, other);
    const steps = new EventEmitter();
    const [isRead, isNoted] = [once(steps, 'read'), once(steps, 'noted')];
    const joiner: FilesHost = {
      ...host,
      readFile: async (name, signal) => {
        const body = await host.readFile(name, signal);
        if (body === null) steps.emit('read');
        return body;
      },
      putFile: async (name, body, signal) => {
        await isNoted;
        await host.putFile(name, body, signal);
      },
    };
    let joined: Promise<void> | undefined;
    const notes = notesOn({
      ...host,
      putFile: async (name, body, signal) => {
        joined = joinDeletions({ host: joiner, listed: listed(), folder }, never);
        await isRead;
        // The join goes on meanwhile, up to its own file.
        await expect.poll(listedNames).not.toContain(name);
        await host.putFile(name, body, signal);
      },
    });
    await notes.add(id, soon());
    steps.emit('noted');
    await joined;
    expect(noted()).toEqual(new Set([other, id]));
    expect((await listedNames()).toSorted()).toEqual([...files.keys()].toSorted());
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

  it('of many deletions are not copied again', async () => {
    const { host, seen, noted, files } = filesHost();
    const [many, few] = [someIds(20_000), someIds(3)];
    const full = deletionsName(folder, many.length, newMediaId());
    await host.putFile(full, encodeDeletions(many));
    await listed().add([full]);
    for (const id of few) await putNote(host, id);
    await joinDeletions({ host, listed: listed(), folder }, never);
    expect(files.size).toBe(2);
    expect(files.has(full)).toBe(true);
    expect(noted()).toEqual(new Set([...many, ...few]));
    expect(seen.puts.at(-1)).toMatch(/deletions-3$/);
  });
});
