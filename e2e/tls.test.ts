import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startTlsSandbox } from '@holdfast/shared/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { aPng } from './harness/client.js';
import { coreSuite } from './harness/core-suite.js';
import { createDeploymentOn, type Deployment } from './harness/deployment.js';
import type { RedisServers } from '@holdfast/shared/testing';

coreSuite(startTlsSandbox, { storageType: 'Redis', level: 'fsynced' });

interface Status {
  status: string;
  storage: { findings: { code: string; message: string; fix: string }[] };
}

/** As Heroku's servers: nobody signed the certificate. */
async function onSelfSigned(env: Record<string, string>): Promise<Deployment<RedisServers>> {
  const servers = await startTlsSandbox({ selfSigned: true });
  const deployment = await createDeploymentOn(servers, 'local', { REDIS_TLS_CA: '', ...env });
  onTestFinished(() => deployment.close());
  return deployment;
}

async function doctor({ env }: Deployment<RedisServers>): Promise<Record<string, unknown> | undefined> {
  const { PATH = '' } = process.env;
  const program = fileURLToPath(new URL('../apps/worker/dist/holdfast.js', import.meta.url));
  const run = promisify(execFile)(process.execPath, [program, 'doctor', '--json'], { env: { PATH, ...env } });
  const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
  const { rows } = JSON.parse(stdout) as { rows: Record<string, unknown>[] };
  return rows.find(({ name }) => name === 'Redis');
}

describe('on a server with a self-signed certificate', () => {
  it('works with REDIS_TLS_VERIFY=false, and reports everywhere that nothing is verified', async () => {
    const deployment = await onSelfSigned({ REDIS_TLS_VERIFY: 'false' });
    const [{ client, program }, worker] = await Promise.all([
      deployment.startApi(),
      deployment.startWorker(),
    ]);
    const { status, body } = await client.upload(aPng(), {}, { Prefer: 'wait=20' });
    expect([status, body.media.status]).toEqual([201, 'verified']);
    const health = await client.call<Status>('/api/media/health');
    expect([health.status, health.body.status]).toEqual([200, 'degraded']);
    expect(health.body.storage.findings.map(({ code }) => code)).toContain('REDIS_TLS_UNVERIFIED');
    const finding = expect.objectContaining({ code: 'REDIS_TLS_UNVERIFIED' }) as unknown;
    for (const { log } of [program, worker])
      expect(log).toContainEqual(expect.objectContaining({ message: 'redis.finding', finding }));
    expect(await doctor(deployment)).toMatchObject({
      severity: 'note',
      found: expect.stringContaining('REDIS_TLS_UNVERIFIED') as unknown,
    });
  });

  it('sends it nothing without that, and says why and what helps', async () => {
    const deployment = await onSelfSigned({});
    const { client } = await deployment.startApi();
    await expect
      .poll(async () => (await client.call<Status>('/api/media/health')).body.storage.findings)
      .toContainEqual({
        code: 'REDIS_UNREACHABLE',
        severity: 'error',
        message: expect.stringContaining('its certificate is self-signed') as unknown,
        fix: expect.stringMatching(/REDIS_TLS_CA.*REDIS_TLS_VERIFY=false/) as unknown,
      });
    expect((await client.upload(aPng())).body).toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
    expect(await doctor(deployment)).toMatchObject({
      severity: 'error',
      found: 'cannot be reached: its certificate is self-signed',
      fix: expect.stringContaining('REDIS_TLS_VERIFY=false') as unknown,
    });
  });
});
