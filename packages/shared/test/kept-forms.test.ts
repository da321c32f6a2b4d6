import { afterAll, beforeAll, expect, it } from 'vitest';
import { decodeRecord, encodeContent } from '../src/catalog/index.js';
import { createTickets } from '../src/direct-uploads/index.js';
import { createClaims } from '../src/idempotency/index.js';
import { jobs, SYNC_SCHEDULE, type JobName } from '../src/jobs/index.js';
import { mediaRecord, readHostMetadata, writeHostMetadata } from '../src/media/index.js';
import { redisKeys } from '../src/redis/index.js';
import { startRedisSandbox, type RedisSandbox } from '../src/testing/index.js';

/**
 * What a version of November 2026 left in Redis and on the host, to the letter. Records, jobs and marks outlive the version that
 * wrote them, and during an upgrade both are at work: where one of these tests fails, add a way to read the old form, and leave the
 * text here as it is. Snapshots have their own in snapshot-format.test.ts.
 */
const id = '01M8GP1416KYWGGCJ3TECDDD1B';
const place = `holdfast/${id}`;
const assetId = 'ddabe574627a4b88a901d49253414e31';
const sha256 = '2c2f5c6c9375f4df7bb1ef0ba505283ddea42ffd088a5524e8cf1ddfa60c612f';
const md5 = '68065456375df9abd16990da189b558f';
const key = 'd6df01a1e2f9d41ffd37cfb020133433';
const print = '1782d331c233cbbbd5ed66927cdee9fa';

const stored =
  '["s",1,0,0,0,1,0]\n[1,"i",1795856306214,"nature",["sea","sun"],"=LC9cbJN19N97se8LpQUoPd6kL_0IilUk6M8d36YMYS8"]\u001f' +
  '["holdfast/\u007f","=3avldGJ6S4ipAdSSU0FOMQ","png",2000,1,1,-1,"https://host/image/upload/v1795856306/\u007f.png",' +
  '"=aAZUVjdd-avRaZDaGJtVjw","a.png","ü=|","d","anonymous","u",0,1795856306]';

const record =
  `{"id":"${id}","status":"saving","publicId":"${place}","assetId":"${assetId}","resourceType":"image","format":"png",` +
  `"bytes":2000,"width":1,"height":1,"durationSeconds":null,"url":"https://host/image/upload/v1795856306/${place}.png",` +
  `"checksum":{"sha256":"${sha256}","md5":"${md5}"},"filename":"a.png","title":"ü=|","description":"d","category":"nature",` +
  '"tags":["sea","sun"],"uploadedBy":"anonymous","source":"upload","createdAt":"2026-11-28T08:58:26.214Z",' +
  '"updatedAt":"2026-11-28T08:58:26.214Z","revision":1,"persistence":{"level":null,"verifiedAt":null,"attempts":0},' +
  '"lastError":null,"hostVersion":1795856306,"pushedRevision":1}';

const context = {
  hf: '1',
  hf_id: id,
  hf_rev: '1',
  hf_src: 'upload',
  hf_created: '1795856306214',
  hf_updated: '1795856306214',
  hf_base: 'PAPI7hGKw-c0VperynJxOLWs',
  hf_sha256: sha256,
  hf_md5: md5,
  hf_idem: key,
  hf_print: print,
  hf_name: 'ta.png',
  hf_by: 'tanonymous',
  title: 'ü=|',
  description: 'd',
  category: 'nature',
};

let redis: RedisSandbox;
beforeAll(async () => {
  redis = await startRedisSandbox();
});
afterAll(() => redis.close());
const keys = redisKeys('holdfast');

it('a stored record is read, and a sync that writes it again finds it unchanged', () => {
  const expected = mediaRecord.parse(JSON.parse(record));
  const found = decodeRecord(id, stored);
  expect(found?.record).toEqual(expected);
  expect(encodeContent(expected)).toBe(found?.content);
});

it.each<[JobName, string, string]>([
  ['save', `{"record":${record},"round":0}`, `save-${id}-1`],
  ['verify', `{"record":${record},"round":0}`, `verify-${id}-1`],
  ['push', `{"id":"${id}","revision":2,"round":1}`, `push-${id}-2-r1`],
  ['remove', `{"id":"${id}","publicId":"${place}","resourceType":"image","round":0}`, `remove-${id}`],
  [
    'refresh',
    `{"notification":"a1","part":0,"change":"deleted","receivedAt":1795856306214,"assets":[{"publicId":"${place}","resourceType":"image","assetId":null,"version":null}]}`,
    'refresh-a1-0',
  ],
  ['sync', '{"trigger":"schedule","dryRun":false,"force":false}', 'sync-schedule'],
  [
    'sync',
    `{"trigger":"upload","mode":"incremental","runId":"${id}","dryRun":false,"force":false}`,
    `sync-${id}`,
  ],
])(
  'a %s job that waits is still taken, under the id that keeps it from being added twice',
  (name, data, jobId) => {
    // The table pairs each name with its payload, which the type cannot follow.
    const job = jobs[name] as (typeof jobs)['push'];
    const payload = job.parse(JSON.parse(data));
    expect(payload).toEqual(JSON.parse(data));
    expect(job.idFor(payload)).toBe(jobId);
    expect(job.queue).toBe({ verify: 'verify', sync: 'sync' }[name as string] ?? 'save');
  },
);

it('the recurring sync has its name, or two would be at work', () => {
  expect(SYNC_SCHEDULE).toBe('auto-sync');
});

it('the mark on an asset is read, and written again it is the same, with what the console shows', () => {
  const there = { context, tags: ['sea', 'sun'] };
  const carried = readHostMetadata(there);
  expect(carried).toMatchObject({
    mark: { state: 'committed' },
    fields: { id, checksum: { sha256 }, title: 'ü=|' },
  });
  const shown = { caption: 'ü=|', alt: 'd', 'hf-shown': 'PAPI7hGKw-c0PAPI7h' };
  expect(carried === null ? null : writeHostMetadata(carried)).toEqual({
    ...there,
    context: { ...context, ...shown },
    displayName: 'ü=|',
  });
});

it('a finished Idempotency-Key and a ticket are known', async () => {
  await redis.client.hset(keys.claim(key), { state: 'done', id, token: 't', print, duplicate: '' });
  expect(await createClaims(redis.client, keys).claim(key, 'another', null)).toEqual({
    state: 'done',
    finished: { id, fingerprint: print, duplicate: false },
  });
  await redis.client.set(keys.ticket(id), JSON.stringify({ publicId: place }));
  expect(await createTickets(redis.client, keys).find(id)).toEqual({
    publicId: place,
    extension: '',
    altered: false,
  });
});
