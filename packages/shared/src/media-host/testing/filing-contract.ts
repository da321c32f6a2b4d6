import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { md5, neverAborted, type SetUpHost } from './put-request.js';

export function filing(setup: SetUpHost): void {
  it('keeps files of ours apart from the assets', async () => {
    const { host } = await setup();
    const body = randomBytes(300_000);
    const before = Date.now();
    await host.putFile('backups/holdfast/b.1', body);
    await host.putFile('backups/holdfast/a', Buffer.from('a'));
    await host.putFile('backups/other/a', Buffer.from('other'));
    expect(md5((await host.readFile('backups/holdfast/b.1')) ?? Buffer.alloc(0))).toBe(md5(body));
    expect(await host.readFile('backups/holdfast/c')).toBeNull();
    const listed = await host.listFiles('backups/holdfast/');
    expect(listed).toMatchObject([
      { name: 'backups/holdfast/a', bytes: 1 },
      { name: 'backups/holdfast/b.1', bytes: 300_000 },
    ]);
    for (const { storedAt } of listed) {
      // Whole seconds on Cloudinary.
      expect(Date.parse(storedAt)).toBeGreaterThan(before - 1_000);
      expect(Date.parse(storedAt)).toBeLessThanOrEqual(Date.now());
    }
    expect(await host.listFiles('backups/nobody/')).toEqual([]);
    for (const resourceType of ['image', 'video', 'raw'] as const) {
      const page = await host.list({ resourceType, cursor: null, limit: 10, signal: neverAborted });
      expect(page.assets).toEqual([]);
    }
    const changes = await host.changes({ since: new Date(0), cursor: null, limit: 10, signal: neverAborted });
    expect(changes.assets).toEqual([]);
    expect(await host.find({ publicId: 'backups/holdfast/a', resourceType: 'raw' })).toBeNull();
  });

  it('removes such a file, and says when there was none', async () => {
    const { host } = await setup();
    await host.putFile('backups/a', Buffer.from('a'));
    expect(await host.removeFile('backups/a')).toBe('removed');
    expect(await host.removeFile('backups/a')).toBe('absent');
    expect(await host.readFile('backups/a')).toBeNull();
    expect(await host.listFiles('')).toEqual([]);
  });

  it('stops reading and writing such a file when the signal aborts', async () => {
    const { host } = await setup();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(host.putFile('backups/a', Buffer.from('a'), signal)).rejects.toThrow('enough');
    await expect(host.readFile('backups/a', signal)).rejects.toThrow('enough');
    await expect(host.listFiles('', signal)).rejects.toThrow('enough');
    expect(await host.listFiles('')).toEqual([]);
  });
}
