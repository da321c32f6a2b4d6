import { expect, it } from 'vitest';
import { HoldfastError } from '../errors/index.js';
import { silentLogger } from '../logging/index.js';
import { HostFailure, type MediaHost } from '../media-host/index.js';
import { createDeletionNotes } from './deletion-notes.js';
import { deletionFiles, deletionName, manifestName } from './snapshot-names.js';

const id = '01K00000000000000000000000';
const soon = () => AbortSignal.timeout(1_000);

function notesOn(putFile: MediaHost['putFile'], snapshots = true) {
  return createDeletionNotes({ putFile }, { folder: 'a', snapshots }, silentLogger);
}

it('a deletion is noted under one name, with one content, however often', async () => {
  const put: [string, string][] = [];
  const notes = notesOn((name, body) => {
    put.push([name, body.toString()]);
    return Promise.resolve();
  });
  await notes.add(id, soon());
  await notes.add(id, soon());
  expect(put[0]).toEqual([deletionName('a', id), JSON.stringify({ deleted: id })]);
  expect(put[1]).toEqual(put[0]);
});

it('nothing is noted where there are no snapshots', async () => {
  const put: string[] = [];
  const notes = notesOn((name) => {
    put.push(name);
    return Promise.resolve();
  }, false);
  await notes.add(id, soon());
  expect(put).toEqual([]);
});

it.each([
  ['a full disk', new HoldfastError('STORAGE_FULL')],
  [
    'a host that takes no such files',
    new HoldfastError('HOST_REJECTED', 'no', { cause: new HostFailure('no', 403, null) }),
  ],
])('%s does not keep a media from being removed', async (_case, refusal) => {
  await expect(notesOn(() => Promise.reject(refusal)).add(id, soon())).resolves.toBeUndefined();
});

it.each([
  ['a host that is silent', new HoldfastError('HOST_TIMEOUT')],
  [
    'a host that fails',
    new HoldfastError('HOST_REJECTED', 'busy', { cause: new HostFailure('busy', 503, null) }),
  ],
])('%s is asked again', async (_case, failure) => {
  await expect(notesOn(() => Promise.reject(failure)).add(id, soon())).rejects.toBe(failure);
});

it('a caller that has no time left is told so', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(
    notesOn(() => Promise.reject(new HoldfastError('STORAGE_FULL'))).add(id, signal),
  ).rejects.toThrow('enough');
});

it('the deletions of a deployment are told from its other files and from those of others', () => {
  const file = (name: string) => ({ name, bytes: 1, storedAt: '2026-01-01T00:00:00.000Z' });
  const files = [
    deletionName('a', id),
    deletionName('a', 'cld-0123abcd'),
    deletionName('a', 'no id'),
    deletionName('a/b', id),
    manifestName('a', id),
  ].map(file);
  expect(deletionFiles('a', files).map((deletion) => deletion.id)).toEqual([id, 'cld-0123abcd']);
});
