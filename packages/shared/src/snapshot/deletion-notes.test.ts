import { afterEach, describe, expect, it, vi } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { silentLogger } from '@holdfast/foundation/logging';
import { filesHost, type FilesHost } from '../../test/support/files-host.js';
import { idOfFoundAsset, newMediaId } from '../media/index.js';
import { HostFailure } from '../media-host/index.js';
import { createDeletionNotes, deletionFiles, deletionsName, type DeletionNotes } from './deletion-notes.js';

const soon = () => AbortSignal.timeout(10_000);
afterEach(() => vi.useRealTimers());

/** What one process of a deployment deletes with. */
const notesOn = (host: FilesHost, snapshots = true): DeletionNotes =>
  createDeletionNotes(host, { host: { folder: 'a' }, sync: { snapshots } }, silentLogger);
const someIds = (count: number): string[] => Array.from({ length: count }, () => newMediaId());

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
  });

  it('are in few files, however many processes delete, and none is lacking at any time', async () => {
    const { host, seen, noted, lost } = filesHost();
    const processes = Array.from({ length: 6 }, () => ({ notes: notesOn(host), ids: someIds(400) }));
    await Promise.all(processes.map(({ notes, ids }) => addAll(notes, ids, 2)));
    expect(noted()).toEqual(new Set(processes.flatMap(({ ids }) => ids)));
    expect(lost).toEqual(new Set());
    // One with all, the one before, and the one that is being written.
    expect(seen.most).toBeLessThanOrEqual(3 * processes.length);
  });

  it('of many deletions are not copied again', async () => {
    const { host, files, noted, seen } = filesHost();
    const notes = notesOn(host);
    const ids = someIds(2_100);
    await Promise.all(ids.map((id) => notes.add(id, soon())));
    await notes.add(newMediaId(), soon());
    expect(noted().size).toBe(2_101);
    expect([...files.keys()].filter((name) => /deletions-2\d\d\d$/.test(name))).toHaveLength(1);
    expect(seen.puts.at(-1)).toMatch(/deletions-\d\d$/);
  });

  it('of yesterday are not copied again', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { host, noted, seen } = filesHost();
    const notes = notesOn(host);
    const [first, second] = someIds(2) as [string, string];
    await notes.add(first, soon());
    vi.setSystemTime(Date.now() + 25 * 3_600_000);
    await notes.add(second, soon());
    expect(noted()).toEqual(new Set([first, second]));
    expect(seen.puts.at(-1)).toMatch(/deletions-1$/);
  });

  it('are not written where there are no snapshots', async () => {
    const { host, files } = filesHost();
    await notesOn(host, false).add(newMediaId(), soon());
    expect(files.size).toBe(0);
  });

  it.each([
    ['a full disk', new HoldfastError('STORAGE_FULL')],
    [
      'a host that accepts no such files',
      new HoldfastError('HOST_REJECTED', 'no', { cause: new HostFailure('no', 403, null) }),
    ],
  ])('keep no file from being removed because of %s', async (_case, refusal) => {
    const { host } = filesHost();
    const notes = notesOn({ ...host, putFile: () => Promise.reject(refusal) });
    await expect(notes.add(newMediaId(), soon())).resolves.toBeUndefined();
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
    expect(seen.most).toBeLessThanOrEqual(2);
    fails = false;
    await notes.add(second, soon());
    expect(noted()).toEqual(new Set([second]));
    await notes.add(first, soon());
    expect(noted()).toEqual(new Set([first, second]));
    expect(files.size).toBe(2);
  });

  it('are tried again where the host has stored other bytes', async () => {
    const { host, files, noted } = filesHost();
    let spoils = 1;
    const notes = notesOn({
      ...host,
      putFile: async (name, body) => {
        if (spoils === 0) return host.putFile(name, body);
        spoils -= 1;
        files.set(name, Buffer.from('other bytes'));
        throw new HoldfastError('HOST_CONTENT_MISMATCH');
      },
    });
    const id = newMediaId();
    await expect(notes.add(id, soon())).rejects.toMatchObject({ code: 'HOST_CONTENT_MISMATCH' });
    await notes.add(id, soon());
    expect(noted()).toEqual(new Set([id]));
    expect(files.size).toBe(1);
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

  it('do not wait for callers without time left', async () => {
    const { host } = filesHost();
    const signal = AbortSignal.abort(new Error('enough'));
    const notes = notesOn({ ...host, putFile: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')) });
    await expect(notes.add(newMediaId(), signal)).rejects.toThrow('enough');
  });
});

it('finds the deletions of a deployment among its other files and those of others, also of version 0.1.0', () => {
  const id = newMediaId();
  const files = [
    `holdfast-snapshots/a/${id}.deleted`,
    'holdfast-snapshots/a/cld-0123abcd.deleted',
    'holdfast-snapshots/a/no id.deleted',
    `holdfast-snapshots/a/b/${id}.deleted`,
    deletionsName('a', 12, id),
    deletionsName('a/b', 12, id),
    deletionsName('ab', 12, id),
    `holdfast-snapshots/a/${id}.manifest`,
  ].map((name) => ({ name, bytes: 1, storedAt: '2026-01-01T00:00:00.000Z' }));
  expect(deletionFiles('a', files).map(({ id: noted, count }) => [noted, count])).toEqual([
    [id, 1],
    ['cld-0123abcd', 1],
    [null, 12],
  ]);
});
