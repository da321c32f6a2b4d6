import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { move } from '../src/commands/move.js';
import { UsageError } from '../src/commands/run-command.js';

import { all, filesOf, isThere, kept, png, put, twoHosts, upload } from './support/move-rig.js';

const HOLDFAST = fileURLToPath(new URL('../dist/holdfast.js', import.meta.url));
const never = new AbortController().signal;
let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

describe('the command move', () => {
  it('survives being killed in the middle, as a process of its own', async () => {
    const at = await twoHosts(sandbox);
    await at.catalogHost.set('local');
    for (let n = 0; n < 30; n += 1) await upload(at, at.local);
    const before = await all(at);
    await at.emulator.configure({ responseDelayMs: 30 });
    const start = () => {
      const args = [HOLDFAST, 'move', '--from', 'local', '--json'];
      const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'], ...at.cloud.env } });
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
      onTestFinished(() => void child.kill('SIGKILL'));
      return {
        child,
        ended: once(child, 'close').then(([code]) => ({ code: code as number | null, stdout })),
      };
    };
    const first = start();
    await expect
      .poll(async () => (await all(at)).filter(({ url }) => isThere(at.cloud, url)).length, { interval: 5 })
      .toBeGreaterThan(0);
    first.child.kill('SIGKILL');
    expect(await first.ended).toEqual({ code: null, stdout: '' });
    expect((await all(at)).every(({ url }) => isThere(at.cloud, url))).toBe(false);
    expect(await at.catalogHost.read()).toBe('local');
    // Its lease would run out within 20 seconds.
    await sandbox.client.del(at.keys.syncLease);
    const { code, stdout } = await start().ended;
    expect({ code, report: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 0,
      report: { complete: true },
    });
    expect((await all(at)).map(kept)).toEqual(before.map(kept));
    expect(await at.emulator.assets.count()).toBe(30);
  });

  it('copies each file once though the answers of the host are lost', async () => {
    const at = await twoHosts(sandbox);
    for (let n = 0; n < 5; n += 1) await upload(at, at.local);
    for (const endpoint of ['upload', 'explicit'] as const)
      await at.emulator.faults.add({ kind: 'drop-after-success', match: { endpoint }, count: 2, skip: 1 });
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({ exitCode: 0 });
    expect(await at.emulator.assets.count()).toBe(5);
  });

  it('copies from one cloud to another', async () => {
    const at = await twoHosts(sandbox);
    await at.catalogHost.set('cloudinary:emulated-cloud');
    const record = await upload(at, at.cloud);
    const second = await startCloudinaryEmulator({ cloudName: 'second-cloud' });
    onTestFinished(() => second.close());
    const MOVE_FROM_CLOUDINARY_URL = at.emulator.cloudinaryUrl;
    const env = { ...at.cloud.env, CLOUDINARY_URL: second.cloudinaryUrl, MOVE_FROM_CLOUDINARY_URL };
    expect(await move.run(env, { from: 'cloudinary' }, never)).toMatchObject({
      exitCode: 0,
      report: { from: 'cloudinary:emulated-cloud', to: 'cloudinary:second-cloud', moved: 1 },
    });
    const moved = await at.catalog.find(record.id);
    expect(kept(moved)).toEqual(kept(record));
    expect(moved?.url).toContain('/second-cloud/');
    expect(await at.emulator.assets.count()).toBe(1);
    expect(await at.catalogHost.read()).toBe('cloudinary:second-cloud');
  });

  it('moves a file under the name that it got since the last sync', async () => {
    const at = await twoHosts(sandbox);
    const record = await upload(at, at.cloud);
    await at.emulator.assets.rename(record.assetId, 'elsewhere/mine');
    for (const report of [{ moved: 1 }, { already: 1 }])
      expect(await move.run(at.local.env, { from: 'cloudinary' }, never)).toMatchObject({
        exitCode: 0,
        report,
      });
    const moved = await at.catalog.find(record.id);
    expect(kept(moved)).toEqual(kept(record));
    expect(moved).toMatchObject({ publicId: 'elsewhere/mine', status: 'verified' });
    expect(isThere(at.local, moved?.url ?? '')).toBe(true);
  });

  it('reads files by a signed address where the account does not deliver them', async () => {
    const at = await twoHosts(sandbox);
    const record = await upload(at, at.cloud);
    await at.emulator.faults.add({ kind: 'error', status: 401, match: { endpoint: 'deliver' }, count: null });
    expect(await move.run(at.local.env, { from: 'cloudinary' }, never)).toMatchObject({ exitCode: 0 });
    expect(await at.catalog.find(record.id)).toMatchObject({ status: 'verified' });
  });

  it('leaves what the earlier account keeps from it for the next time, and says why', async () => {
    const at = await twoHosts(sandbox);
    await at.catalogHost.set('cloudinary:emulated-cloud');
    await upload(at, at.cloud);
    await at.emulator.faults.add({ kind: 'cut-response', match: { endpoint: 'deliver' }, count: null });
    const { exitCode, report } = await move.run(at.local.env, { from: 'cloudinary' }, never);
    expect({ exitCode, report }).toMatchObject({ exitCode: 1, report: { moved: 0, failed: 1 } });
    expect(await filesOf(at)).toEqual([]);
    await at.emulator.faults.clear();
    expect(await move.run(at.local.env, { from: 'cloudinary' }, never)).toMatchObject({ exitCode: 0 });
  });

  it('passes over a file whose context the target cannot take, and copies the others', async () => {
    const at = await twoHosts(sandbox);
    await at.catalogHost.set('local');
    const unwritable = { context: { 'a=b': 'c' }, tags: [] };
    await put(at.local.host, 'image', 'cats/tom', unwritable, png());
    const record = await upload(at, at.local);
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({
      exitCode: 1,
      report: {
        moved: 1,
        failed: 1,
        error: null,
        problems: [{ publicId: 'cats/tom', code: 'HOST_CONTEXT_UNWRITABLE' }],
      },
    });
    expect(kept(await at.catalog.find(record.id))).toEqual(kept(record));
  });

  it('notes many deletions that wait for the earlier host in one file there', async () => {
    const at = await twoHosts(sandbox);
    await at.catalogHost.set('local');
    for (let n = 0; n < 3; n += 1) await at.catalog.beginDelete((await upload(at, at.local)).id);
    expect(await move.run(at.cloud.env, { from: 'local' }, never)).toMatchObject({
      exitCode: 0,
      report: { deleted: 3 },
    });
    expect((await at.local.host.listFiles('')).map(({ name }) => name)).toEqual([
      expect.stringMatching(/[.]deletions-3$/),
    ]);
    expect(await all(at)).toEqual([]);
  });

  it('is used wrongly without a host to copy from, and with the configured one', async () => {
    const { local, cloud } = await twoHosts(sandbox);
    for (const [env, args] of [
      [cloud.env, {}],
      [cloud.env, { from: 'somewhere' }],
      [local.env, { from: 'local' }],
      [{ ...cloud.env, MOVE_FROM_CLOUDINARY_URL: cloud.env['CLOUDINARY_URL'] }, { from: 'cloudinary' }],
      [cloud.env, { from: 'local', forget: true, 'dry-run': true }],
    ] as const)
      await expect(move.run(env, args, never)).rejects.toBeInstanceOf(UsageError);
    for (const MOVE_FROM_CLOUDINARY_URL of ['', 'not-one'])
      await expect(
        move.run({ ...local.env, MOVE_FROM_CLOUDINARY_URL }, { from: 'cloudinary' }, never),
      ).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        errors: [{ path: 'MOVE_FROM_CLOUDINARY_URL' }],
      });
  });
});
