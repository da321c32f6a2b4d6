import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Holdfast } from './holdfast.js';

const run = z.object({
  runId: z.string(),
  result: z.string().nullable(),
  listed: z.number(),
  created: z.number(),
  unchanged: z.number(),
  missing: z.number(),
});
const status = z.object({ running: run.nullable(), lastFullRun: run.nullable() });
const asked = z.object({ runId: z.string() });

export type FollowedRun = z.infer<typeof run>;

const EVERY_MS = 100;

/**
 * Asks for a full sync, tells how far it is, again and again, and resolves with how it ended; rejects when it did not end
 * well in time. Unlike `timeFullSync` it does not care about milliseconds, nor about how many workers carry the run.
 */
export async function followFullSync(
  { url }: Pick<Holdfast, 'url'>,
  withinMs: number,
  onProgress: (listed: number) => Promise<void>,
): Promise<FollowedRun> {
  const request = await fetch(`${url}/api/media/sync-cloudinary?mode=full`, { method: 'POST' });
  const { runId } = asked.parse(await request.json());
  const deadline = performance.now() + withinMs;
  for (; performance.now() < deadline; await pause(EVERY_MS)) {
    const answer = await fetch(`${url}/api/media/sync/status`);
    const body: unknown = await answer.json();
    // On a busy machine Redis may take longer than a request waits for it.
    if (!answer.ok) continue;
    const { running, lastFullRun } = status.parse(body);
    if (lastFullRun?.runId === runId) {
      if (lastFullRun.result !== 'ok') throw new Error(`it ended ${String(lastFullRun.result)}`);
      return lastFullRun;
    }
    if (running?.runId === runId) await onProgress(running.listed);
  }
  throw new Error('the full sync did not end in time');
}
