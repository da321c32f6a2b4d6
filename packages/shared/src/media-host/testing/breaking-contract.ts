import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { neverAborted, newRef, pieces, putRequest, type SetUpHost } from './put-request.js';

export function breaking(setup: SetUpHost): void {
  it('ends an aborted upload at once, with the reason, and keeps nothing of it', async () => {
    const { host, leftovers } = await setup();
    const control = new AbortController();
    const ref = newRef('raw', '.bin');
    let given = 0;
    const body = new Readable({
      read() {
        given += 1;
        if (given < 20) this.push(randomBytes(64 * 1024));
        else control.abort(new Error('the client went away'));
      },
    });
    await expect(host.put(putRequest({ ref, body, signal: control.signal }))).rejects.toThrow(
      'the client went away',
    );
    expect(body.destroyed).toBe(true);
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]));
    expect(await host.find(ref)).toBeNull();
  });

  it('does not start an upload that is aborted already', async () => {
    const { host } = await setup();
    const ref = newRef();
    const body = Readable.from(pieces(randomBytes(100_000)));
    const signal = AbortSignal.abort(new Error('too late'));
    await expect(host.put(putRequest({ ref, body, signal }))).rejects.toThrow('too late');
    expect(body.destroyed).toBe(true);
    expect(await host.find(ref)).toBeNull();
    await expect(host.find(ref, signal)).rejects.toThrow('too late');
  });

  it.each([
    ['breaks', (body: Readable) => body.destroy(new Error('ECONNRESET'))],
    ['is destroyed without a word', (body: Readable) => body.destroy()],
  ])('keeps nothing of a body that %s', async (_case, end) => {
    const { host, leftovers } = await setup();
    const ref = newRef('raw', '.bin');
    let given = 0;
    const body = new Readable({
      read() {
        given += 1;
        if (given < 10) this.push(randomBytes(64 * 1024));
        else end(this);
      },
    });
    await expect(host.put(putRequest({ ref, body }))).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
    await vi.waitFor(async () => expect(await leftovers()).toEqual([]));
    expect(await host.find(ref)).toBeNull();
  });

  it('gives bytes that may break before they are read', async () => {
    const { host } = await setup();
    const { asset } = await host.put(putRequest());
    const bytes = await host.open(asset, neverAborted);
    bytes.destroy(new Error('ECONNRESET'));
    await setImmediate();
    await expect(buffer(bytes)).rejects.toThrow('ECONNRESET');
  });

  it('knows from its calls whether it is reachable', async () => {
    const { host } = await setup();
    expect(host.health()).toMatchObject({ reachable: null, lastSuccessAt: null });
    await host.put(putRequest());
    expect(host.health()).toMatchObject({ reachable: true, lastErrorCode: null });
    expect(host.health().lastSuccessAt).not.toBeNull();
  });
}
