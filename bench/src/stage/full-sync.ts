import { z } from 'zod';
import type { Completions } from './completions.js';
import type { Holdfast } from './holdfast.js';

export interface TimedSync {
  ms: number;
  listed: number;
  created: number;
  unchanged: number;
}

const asked = z.object({ runId: z.string() });
const status = z.object({
  lastFullRun: z.object({
    runId: z.string(),
    result: z.string(),
    listed: z.number(),
    created: z.number(),
    unchanged: z.number(),
  }),
});

/** A full sync from the request to the end of its job. Rejects when the run did not end well. */
export async function timeFullSync({ url }: Pick<Holdfast, 'url'>, ends: Completions): Promise<TimedSync> {
  const start = performance.now();
  const request = await fetch(`${url}/api/media/sync-cloudinary?mode=full`, { method: 'POST' });
  const { runId } = asked.parse(await request.json());
  const ms = (await ends.when(`sync-${runId}`)) - start;
  const answer = await fetch(`${url}/api/media/sync/status`);
  const { lastFullRun } = status.parse(await answer.json());
  if (lastFullRun.runId !== runId || lastFullRun.result !== 'ok')
    throw new Error(`the full sync ended otherwise: ${JSON.stringify(lastFullRun)}`);
  return { ms, ...lastFullRun };
}
