import { it, expect, vi } from 'vitest';
import { connect } from 'node:net';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { startCloudinaryEmulator } from '@holdfast/cloudinary-emulator';
import { startApi } from './support/running-api.js';
it('x', async () => {
  const redis = await startRedisSandbox();
  const emulator = await startCloudinaryEmulator();
  const api = await startApi(redis, { CLOUDINARY_URL: emulator.cloudinaryUrl, API_KEYS: 'a:admin:secret-aaa,b:write:secret-bbb', RATE_LIMIT_PER_MINUTE: '1000000', TRUST_PROXY: 'true' });
  const m = await api.addMedia();
  const B = 'b';
  const file = `--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n\x89PNG\r\n\x1a\n`;
  const H = (method: string, path: string, more: string[]) => `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: secret-aaa\r\n${more.map((x) => x + '\r\n').join('')}\r\n`;
  const ct = 'Content-Type: multipart/form-data; boundary=b';
  const full = Buffer.concat([Buffer.from('--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'), Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010806000000', 'hex'), Buffer.alloc(500), Buffer.from('\r\n--b--\r\n')]);
  const kinds: Record<string, () => (string | Buffer)[]> = {
    partial: () => [H('POST', '/api/media/upload', [ct, 'Content-Length: 100000']), file, 'x'.repeat(5000)],
    keyed: () => [H('POST', '/api/media/upload', [ct, 'Content-Length: 100000', 'Idempotency-Key: same']), file],
    whole: () => [H('POST', '/api/media/upload', [ct, `Content-Length: ${full.length}`]), full],
    prefer: () => [H('POST', '/api/media/upload', [ct, `Content-Length: ${full.length}`, 'Prefer: wait=300']), full],
    expect: () => [H('POST', '/api/media/upload', [ct, 'Content-Length: 100000', 'Expect: 100-continue'])],
    large: () => [H('POST', '/api/media/upload', [ct, 'Content-Length: 900000']), file, Buffer.alloc(600000)],
    events: () => [H('GET', `/api/media/${m.id}/events`, [])],
    patch: () => [H('PATCH', `/api/media/${m.id}`, ['Content-Type: application/json', 'Content-Length: 200000']), '{"title":"' + 'x'.repeat(1000)],
    hook: () => [H('POST', '/api/media/webhooks/cloudinary', [`X-Cld-Timestamp: ${Math.floor(Date.now() / 1000)}`, `X-Cld-Signature: ${'a'.repeat(40)}`, 'Content-Length: 900000']), 'x'.repeat(1000)],
    list: () => [H('GET', '/api/media?limit=100', []).repeat(20)],
    docs: () => [H('GET', '/docs/swagger-ui-bundle.js', []).repeat(20)],
    chunked: () => [H('POST', '/api/media/upload', [ct, 'Transfer-Encoding: chunked']), `5;ext=1\r\n--b\r\n\r\n`],
    sync: () => [H('POST', '/api/media/sync-cloudinary?dryRun=true', ['Prefer: wait=300', 'Content-Length: 0'])],
  };
  const names = Object.keys(kinds);
  const one = (i: number) => new Promise<void>((resolve) => {
    const s = connect(api.port, '127.0.0.1', () => {
      for (const p of kinds[names[i % names.length]!]!()) s.write(p as never);
      setTimeout(() => { if (i % 3 === 0) s.resetAndDestroy(); else if (i % 3 === 1) s.destroy(); else { s.end(); setTimeout(() => s.destroy(), 5); } }, Math.random() * 30);
    });
    s.on('error', () => undefined); s.on('close', () => resolve());
  });
  const N = Number(process.env['N'] ?? 2600);
  const run = async () => { let next = 0; await Promise.all(Array.from({ length: 40 }, async () => { while (next < N) await one(next++); })); };
  const h0 = process.memoryUsage();
  await run();
  const state = () => ({ slots: api.deps.uploadSlots.running, streams: api.deps.streams.running, waiters: (api.deps.uploads as any).waiters.running });
  console.log(new Date().toISOString(), state());
  for (let i = 0; i < 20; i++) { await new Promise((r) => setTimeout(r, 2000)); console.log(i, JSON.stringify(state())); if (Object.values(state()).every((x) => x === 0)) break; }
  // bodies
  let refused = 0; const held = [];
  for (let i = 0; i < 32; i++) { const s = connect(api.port, '127.0.0.1'); held.push(s); s.on('error', () => undefined); s.on('data', (d) => { refused++; if (refused < 3) console.log(d.toString().slice(0, 300)); }); for (const p of kinds['patch']!()) s.write(p as never); }
  await new Promise((r) => setTimeout(r, 1500)); console.log('refused bodies', refused); for (const s of held) s.destroy();
  const info = await redis.client.info('stats'); const c0 = Number(/total_commands_processed:(\d+)/.exec(info)?.[1]); await new Promise((r) => setTimeout(r, 3000));
  const c1 = Number(/total_commands_processed:(\d+)/.exec(await redis.client.info('stats'))?.[1]); console.log('commands/s afterwards', (c1 - c0) / 3);
  console.log('mem', h0.heapUsed / 1e6, process.memoryUsage().heapUsed / 1e6, process.memoryUsage().rss / 1e6);
  console.log('intents', await redis.client.keys('*intent*').then((k) => k.length), 'pending uploads', (await redis.client.keys('*:intent:*')).length);
  await api.close(); await emulator.close(); await redis.close();
}, 300000);
