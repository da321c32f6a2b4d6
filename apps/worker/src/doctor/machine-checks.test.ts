import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePort, managedServices, startManagedRedis, startRedisSandbox } from '@holdfast/shared/testing';
import { examine, rowNamed } from '../../test/support/doctor-rig.js';

describe('the doctor names', () => {
  it('what a Redis does not offer, with the fix, and what that means', async () => {
    const redis = await startManagedRedis(managedServices.upstashFree);
    onTestFinished(() => redis.close());
    await redis.configure({
      answers: { ...managedServices.upstashFree.answers, MULTI: "-ERR unknown command 'MULTI'" },
    });
    const diagnosis = await examine({ REDIS_URL: redis.url });
    expect(rowNamed(diagnosis, 'Redis')?.found).toMatch(/^Upstash 1\.13/);
    expect(rowNamed(diagnosis, 'Transactions')).toMatchObject({
      severity: 'error',
      found: "ERR unknown command 'MULTI'",
      fix: expect.stringContaining('proxy'),
    });
    expect(rowNamed(diagnosis, 'ROLE')).toMatchObject({
      severity: 'note',
      means: expect.stringContaining('DURABILITY_REPLICAS'),
    });
    expect(rowNamed(diagnosis, 'ZMSCORE')).toMatchObject({ severity: 'ok' });
    expect(await redis.server.client.keys('*')).toEqual([]);
  });

  it('a right that the user of Redis lacks, in one row and with the fix for that', async () => {
    const redis = await startRedisSandbox();
    onTestFinished(() => redis.close());
    await redis.client.call('ACL', 'SETUSER', 'few', 'on', '>a-pw', '~*', '+@all', '-eval');
    const diagnosis = await examine({ REDIS_URL: redis.url.replace('//', '//few:a-pw@') });
    const wrong = diagnosis.rows.filter(({ severity }) => severity === 'error');
    expect(wrong.map(({ name }) => name)).toEqual(['Scripts']);
    expect(wrong[0]?.fix).toBe('Give the user of Redis the rights in docs/operations.md.');
    expect(rowNamed(diagnosis, 'Keys on one server')?.found).toBe('not run: as for "Scripts"');
  });

  it('what listens where Redis should, in the words of health', async () => {
    const server = createServer((_req, res) => void res.end());
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    expect(
      rowNamed(await examine({ REDIS_URL: `redis://127.0.0.1:${String(port)}` }), 'Redis'),
    ).toMatchObject({
      severity: 'error',
      found: 'cannot be reached: what listens there is not Redis: an HTTP server answers',
    });
  });

  it('a host and a Redis that do not answer', async () => {
    const [host, redis] = [await freePort(), await freePort()];
    const diagnosis = await examine({
      CLOUDINARY_URL: `cloudinary://key:secret@cloud?upload_prefix=http://127.0.0.1:${String(host)}`,
      REDIS_URL: `redis://127.0.0.1:${String(redis)}`,
    });
    expect(rowNamed(diagnosis, 'Account')).toMatchObject({
      severity: 'error',
      fix: expect.stringMatching(/reaches/),
    });
    expect(rowNamed(diagnosis, 'Redis')).toMatchObject({
      severity: 'error',
      found: 'cannot be reached: nothing listens there',
      fix: expect.stringMatching(/host and port/),
    });
    expect(rowNamed(diagnosis, 'Upload')).toMatchObject({ severity: 'skipped' });
    const fixed = diagnosis.rows.filter(({ fix }) => fix !== undefined).map(({ severity }) => severity);
    expect(fixed).not.toContain('ok');
    expect(fixed).not.toContain('skipped');
  });
});
