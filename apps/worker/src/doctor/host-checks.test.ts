import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import type { Environment } from '@holdfast/foundation/config';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { examine, MAX_ADMIN_CALLS, rowNamed, startEmulator } from '../../test/support/doctor-rig.js';
import type { Row } from './check.js';
import type { DoctorOptions } from './run-doctor.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

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
    name: 'a host that stops answering',
    plant: (emulator) =>
      emulator.faults.add({ kind: 'silence', ms: 600_000, match: { endpoint: 'explicit' }, ...always }),
    row: 'Upload',
    severity: 'error',
    found: /HOST_TIMEOUT/,
    options: { hostOptions: { timeouts: { callMs: 300 } } },
  },
  {
    name: 'a preset that renames',
    plant: (emulator) => emulator.configure({ defaultPreset: { folder: 'incoming' } }),
    row: 'Upload',
    severity: 'error',
    found: /HOST_ALTERS_UPLOADS/,
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
    name: 'a listing without etag',
    plant: (emulator) => emulator.configure({ unlistedFields: ['etag'] }),
    row: 'Listing',
    severity: 'error',
    found: /etag/,
  },
  {
    name: 'a listing that refuses fields',
    plant: (emulator) =>
      emulator.configure({ unlistedFields: ['width'], unknownFields: { refusedWith: 'Bad Request' } }),
    row: 'Listing',
    severity: 'error',
  },
  {
    // As where a repeated parameter, or one with commas, is read as another name.
    name: 'a listing that knows none of the fields',
    plant: (emulator) => emulator.configure({ unlistedFields: [...allFields] }),
    row: 'Listing',
    severity: 'error',
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
    found: /-image, .*-pdf, .*-parts.bin, .*-file.txt/,
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
    const diagnosis = await examine({ REDIS_URL: sandbox.url, ...env, CLOUDINARY_URL: url }, options);
    expect(rowNamed(diagnosis, row)).toMatchObject({ severity, found: expect.stringMatching(found) });
    expect(diagnosis.adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    expect(await emulator.assets.count()).toBe(leaves);
  });

  it('a cause once: not files that were refused, nor the delivery of bytes that were altered before', async () => {
    const emulator = await startEmulator();
    const rows = async (settings: Parameters<CloudinaryEmulator['configure']>[0]) => {
      await emulator.configure(settings);
      return examine({ REDIS_URL: sandbox.url, CLOUDINARY_URL: emulator.cloudinaryUrl });
    };
    const late = await rows({ clockOffsetMs: 90 * 60_000 });
    expect(rowNamed(late, 'Clean-up')).toMatchObject({ severity: 'skipped' });
    const transformed = await rows({ clockOffsetMs: 0, defaultPreset: { transforms: true } });
    expect(rowNamed(transformed, 'Stored bytes')).toMatchObject({ severity: 'error' });
    for (const name of ['Delivery', 'Delivery of a PDF'])
      expect(rowNamed(transformed, name)).toMatchObject({ severity: 'skipped' });
    const renamed = await rows({ defaultPreset: { folder: 'incoming' } });
    expect(rowNamed(renamed, 'Upload')?.fix).toContain('default preset');
    expect(rowNamed(renamed, 'Private file')).toMatchObject({ severity: 'skipped' });
  });
});
