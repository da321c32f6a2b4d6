import type { FailoverServers } from '@holdfast/shared/testing';
import { expect } from 'vitest';
import { audit, type Acknowledged } from './audit.js';
import { aPng } from './client.js';
import type { Running } from './core-suite.js';

export interface Failover {
  acknowledged: number;
  /** The longest time in which no upload was acknowledged, in ms. */
  longestGapMs: number;
  /** From the death of the master to the next acknowledgement. */
  backAfterMs: number;
}

const CLIENTS = 4;
const BEFORE = 10;
const AFTER = 20;
const LIMIT_MS = 30_000;

/**
 * Kills the master in the middle of uploads and continues until uploads are accepted again. Then everything that was
 * acknowledged must be there, once, byte for byte and verified, without any process having been restarted.
 */
export async function failoverUnderUploads({
  deployment,
  client,
}: Running<FailoverServers>): Promise<Failover> {
  const acknowledged: Acknowledged[] = [];
  const unexpected: unknown[] = [];
  let longestGapMs = 0;
  let last = performance.now();
  let killedAt = Infinity;
  let firstAfter = Infinity;
  let after = 0;
  const end = performance.now() + LIMIT_MS;
  let killing: Promise<void> | undefined;

  const kill = async (): Promise<void> => {
    await deployment.redis.killMaster();
    killedAt = performance.now();
  };
  const uploadOn = async (): Promise<void> => {
    while (after < AFTER && performance.now() < end) {
      const data = aPng(acknowledged.length % 4 === 0 ? 400_000 : 5_000);
      const startedAt = performance.now();
      const { status, body } = await client.upload(data);
      if (status === 202) {
        const now = performance.now();
        longestGapMs = Math.max(longestGapMs, now - last);
        last = now;
        acknowledged.push({ id: body.media.id, data });
        if (startedAt > killedAt) {
          firstAfter = Math.min(firstAfter, now);
          after += 1;
        }
      } else if (status === 503) await new Promise((resolve) => setTimeout(resolve, 100));
      else unexpected.push(body);
      if (acknowledged.length >= BEFORE) killing ??= kill();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, uploadOn));
  await killing;
  expect(unexpected).toEqual([]);
  expect(after).toBeGreaterThanOrEqual(AFTER);
  await audit(deployment, client, acknowledged);
  return {
    acknowledged: acknowledged.length,
    longestGapMs: Math.round(longestGapMs),
    backAfterMs: Math.round(firstAfter - killedAt),
  };
}
