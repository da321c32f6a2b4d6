import { afterEach, beforeEach, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { verifyJob } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId, publicIdFor, readHostMetadata, type MediaRecord } from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';
import { aRecord } from '@holdfast/shared/testing';
import type { JobContext } from '../src/run-job.js';
import { createPushMedia, createRemoveMedia } from '../src/push-and-remove.js';
import { metadataOf } from './support/metadata-of.js';
import { openBench, type Bench } from './support/start-worker.js';

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const context: JobContext = { signal: new AbortController().signal, attempt: 1, log: silentLogger };
const refOf = ({ publicId, resourceType }: MediaRecord) => ({ publicId, resourceType });
const onHost = async (record: MediaRecord) => {
  const asset = await bench.host.find(refOf(record));
  return asset === null ? null : readHostMetadata(asset)?.fields;
};
/** A file as it is after its upload. */
async function uploaded(): Promise<MediaRecord> {
  const id = newMediaId();
  const first = aRecord({ id, publicId: publicIdFor('holdfast', id) });
  const body = Buffer.from('GIF89a\u0001\u0000\u0001\u0000');
  const { asset } = await bench.host.put({
    ref: refOf(first),
    metadata: metadataOf(first),
    body,
    signal: AbortSignal.timeout(5_000),
  });
  const record = { ...first, assetId: asset.assetId };
  await bench.catalog.save(record);
  return record;
}
const edit = async (record: MediaRecord, title: string): Promise<MediaRecord> => {
  const edited = { ...record, title, revision: record.revision + 1 };
  await bench.catalog.saveIf(edited, record);
  return edited;
};

it('writes the newest revision to the host, whatever revision the job names', async () => {
  const first = await uploaded();
  const third = await edit(await edit(first, 'B'), 'C');
  await createPushMedia(bench)({ id: first.id, revision: 2, round: 0 }, context);
  expect(await onHost(first)).toMatchObject({ title: 'C', revision: 3 });
  expect((await bench.catalog.find(third.id))?.pushedRevision).toBe(3);
  expect(await bench.sandbox.client.zcard(bench.keys.unpushed)).toBe(0);
});

it('writes again when the record was edited while it wrote', async () => {
  const second = await edit(await uploaded(), 'B');
  let edits = 0;
  const host: Pick<MediaHost, 'find' | 'annotate'> = {
    find: (...of) => bench.host.find(...of),
    annotate: async (...of) => {
      if ((edits += 1) === 1) await edit(second, 'C');
      return bench.host.annotate(...of);
    },
  };
  await createPushMedia({ ...bench, host })({ id: second.id, revision: 2, round: 0 }, context);
  expect(await onHost(second)).toMatchObject({ title: 'C', revision: 3 });
});

it('has verified what it took in from the host, also when it is cut off after that', async () => {
  const second = await edit(await uploaded(), 'B');
  const there = await bench.host.find(refOf(second));
  if (there === null) throw new Error('no asset');
  await bench.host.annotate(refOf(second), { ...there, context: { ...there.context, description: 'there' } });
  const host: Pick<MediaHost, 'find' | 'annotate'> = {
    find: (...of) => bench.host.find(...of),
    annotate: () => Promise.reject(new HoldfastError('HOST_TIMEOUT')),
  };
  const payload = { id: second.id, revision: 2, round: 0 };
  await expect(createPushMedia({ ...bench, host })(payload, context)).rejects.toMatchObject({
    code: 'HOST_TIMEOUT',
  });
  expect(await bench.catalog.find(second.id)).toMatchObject({ description: 'there', revision: 3 });
  await createPushMedia(bench)(payload, context);
  const jobs = await bench.queues.queues.verify.getJobs(['waiting', 'delayed']);
  expect(jobs.map(({ id }) => id)).toContain(
    verifyJob.idFor({ record: { ...second, revision: 3 }, round: 0 }),
  );
});

it('does not write over a newer revision on the host', async () => {
  const second = await edit(await uploaded(), 'B');
  await bench.host.annotate(refOf(second), metadataOf({ ...second, revision: 7, title: 'newer' }));
  await createPushMedia(bench)({ id: second.id, revision: 2, round: 0 }, context);
  expect(await onHost(second)).toMatchObject({ title: 'newer', revision: 7 });
});

it('keeps the edit and says why when the host does not have the file', async () => {
  const second = await edit(await uploaded(), 'B');
  await bench.host.remove(refOf(second));
  await createPushMedia(bench)({ id: second.id, revision: 2, round: 0 }, context);
  expect(await bench.catalog.find(second.id)).toMatchObject({
    title: 'B',
    lastError: { code: 'MEDIA_NOT_FOUND' },
  });
  expect(await bench.sandbox.client.zcard(bench.keys.unpushed)).toBe(1);
});

it('removes a deleted file twice without harm, and never one that was not deleted', async () => {
  const record = await uploaded();
  const payload = { id: record.id, ...refOf(record), round: 0 };
  await createRemoveMedia(bench)(payload, context);
  expect(await onHost(record)).not.toBeNull();
  await bench.catalog.beginDelete(record.id);
  await createRemoveMedia(bench)(payload, context);
  await createRemoveMedia(bench)(payload, context);
  expect(await onHost(record)).toBeNull();
  expect(await bench.catalog.find(record.id)).toBeNull();
});

it('leaves an asset alone that has taken the name of a deleted one', async () => {
  const record = await uploaded();
  await bench.catalog.saveIf({ ...record, assetId: 'the-one-before' }, record);
  await bench.catalog.beginDelete(record.id);
  await createRemoveMedia(bench)({ id: record.id, ...refOf(record), round: 0 }, context);
  expect(await onHost(record)).not.toBeNull();
  expect(await bench.catalog.find(record.id)).toBeNull();
});
