import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { readings } from '@holdfast/cloudinary-emulator';
import { readSettings } from '@holdfast/foundation/config';
import { silentLogger } from '@holdfast/foundation/logging';
import { doctorPrefix, idOfFoundAsset } from '@holdfast/shared/media';
import { createMediaHost } from '@holdfast/shared/media-host';
import { onePixelPng, startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import {
  examine,
  MAX_ADMIN_CALLS,
  notWell,
  rowNamed,
  startEmulator,
  temporaryFolder,
} from '../../test/support/doctor-rig.js';
import { openSyncRig } from '../../test/support/sync-rig.js';
import { runDoctor } from './run-doctor.js';

const never = new AbortController().signal;
let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

/** Readings in which listings tell no hash: syncs cannot see there whether bytes have changed. */
const withoutHashes = new Set(['unknown fields refused', 'fields that the listing ignores']);

describe('the doctor', () => {
  it('finds all well on an account as expected, within its calls, and leaves everything as it was', async () => {
    const emulator = await startEmulator();
    await emulator.assets.seed(40);
    // Near its files, and not its own.
    await emulator.assets.put({
      publicId: 'holdfast/doctor-a-photo',
      resourceType: 'image',
      content: onePixelPng,
    });
    const before = await emulator.assets.list();

    const diagnosis = await examine({ REDIS_URL: sandbox.url, CLOUDINARY_URL: emulator.cloudinaryUrl });
    expect(notWell(diagnosis)).toEqual([]);
    expect(await emulator.assets.list()).toEqual(before);
    expect(diagnosis.adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    const { byEndpoint } = await emulator.requests.counters();
    const signed = ['upload', 'explicit', 'destroy', 'rename', 'download', 'deliver'];
    const admin = Object.entries(byEndpoint).filter(([endpoint]) => !signed.includes(endpoint));
    expect(admin.reduce((sum, [, count]) => sum + count, 0)).toBe(diagnosis.adminCalls);
  });

  it.each([{ tagOrder: 'sorted' }, { contextShape: 'flat' }, { contextShape: 'pairs' }] as const)(
    'finds all well where Holdfast assumes no order and no shape: %j',
    async (reading) => {
      const emulator = await startEmulator(reading);
      expect(
        notWell(await examine({ REDIS_URL: sandbox.url, CLOUDINARY_URL: emulator.cloudinaryUrl })),
      ).toEqual([]);
    },
  );

  it.each(Object.entries(readings))('leaves nothing, and finds right what is: %s', async (name, reading) => {
    const emulator = await startEmulator(reading);
    const diagnosis = await examine({ REDIS_URL: sandbox.url, CLOUDINARY_URL: emulator.cloudinaryUrl });
    const { rows, adminCalls } = diagnosis;
    const wrong = rows.filter(({ severity }) => severity === 'error').map((row) => row.name);
    expect(wrong).toEqual(withoutHashes.has(name) ? ['Listing'] : []);
    expect(adminCalls).toBeLessThanOrEqual(MAX_ADMIN_CALLS);
    expect(await emulator.assets.count()).toBe(0);
  });

  it('is adopted by no sync that runs meanwhile', async () => {
    const rig = await openSyncRig(sandbox, 'cloudinary', {
      emulator: { responseDelayMs: 20 },
      env: { API_KEYS: 'web:write:a-secret-of-somebody' },
    });
    await rig.emulator?.assets.seed(3);
    // As where an account shows no context, and so no mark.
    const { assetId } = await rig.foreign(`${doctorPrefix('holdfast')}pdf`);
    await rig.sync();
    const known = async () => (await rig.records()).map(({ id }) => id).toSorted();
    const before = await known();
    expect(before).toHaveLength(3);
    expect(before).not.toContain(idOfFoundAsset(assetId));
    const ended = new AbortController();
    const examined = runDoctor({
      settings: rig.settings,
      env: {},
      signal: never,
      longestPauseMs: 400,
    }).finally(() => ended.abort());
    let mostListed = 0;
    for (let round = 0; !ended.signal.aborted; round += 1) {
      const run = await rig.sync({ mode: round % 2 === 0 ? 'full' : 'incremental' });
      expect(run).toMatchObject({ created: 0, errors: 0, missing: 0, result: 'ok' });
      mostListed = Math.max(mostListed, run.listed);
    }
    // They have seen its files.
    expect(mostListed).toBeGreaterThan(before.length + 1);
    expect(notWell(await examined)).toEqual([]);
    await rig.sync();
    expect(await known()).toEqual(before);
  });

  it('looks at the local host, and leaves nothing there', async () => {
    const directory = await temporaryFolder();
    const diagnosis = await examine({ REDIS_URL: sandbox.url, DATA_DIR: directory });
    expect(notWell(diagnosis)).toEqual([]);
    expect(rowNamed(diagnosis, 'Account')).toBeUndefined();
    const settings = readSettings({ DATA_DIR: directory });
    const host = await createMediaHost(settings.host, { log: silentLogger });
    onTestFinished(() => host.close());
    const request = { resourceType: 'image', cursor: null, limit: 10, signal: never } as const;
    expect((await host.list(request)).assets).toEqual([]);
    expect((await readdir(directory)).filter((name) => name.startsWith('doctor'))).toEqual([]);
  });

  it('cleans up when it is interrupted', async () => {
    const emulator = await startEmulator({ responseDelayMs: 20 });
    const interrupted = new AbortController();
    const examined = examine(
      { REDIS_URL: sandbox.url, CLOUDINARY_URL: emulator.cloudinaryUrl },
      {
        signal: interrupted.signal,
        progress: (name) => {
          if (name === 'Edit') interrupted.abort(new Error('interrupted'));
        },
      },
    );
    const diagnosis = await examined;
    expect(rowNamed(diagnosis, 'Edit')).toMatchObject({ severity: 'skipped', found: 'interrupted' });
    expect(rowNamed(diagnosis, 'Clean-up')).toMatchObject({ severity: 'ok' });
    expect(diagnosis.interrupted).toBe(true);
    expect(await emulator.assets.count()).toBe(0);
  });
});
