import { Agent } from 'node:http';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { quantile } from '../statistics.js';
import { startBareFlow } from '../stage/bare-flow.js';
import { watchCompletions } from '../stage/completions.js';
import { followVerified } from '../stage/follow-verified.js';
import { startHoldfast } from '../stage/holdfast.js';
import { uploadClient } from '../stage/upload-client.js';

const BLOCK = 50;

/** One upload after the other, each followed from its 202 on: until the client is sent the `verified` event. */
export const latency: MeasureRow = async ({ quick }, cleanUp) => {
  const { redis, folder, url } = await startHoldfast(cleanUp);
  const bare = await startBareFlow(redis, folder, cleanUp);
  const flows = await watchCompletions('verify', bare.prefix, bare.connection, cleanUp);
  const client = uploadClient(`${url}/api/media/upload`, 100_000);
  cleanUp.defer(async () => client.close());
  const agent = new Agent({ keepAlive: false });

  const toVerified: number[] = [];
  const emptyFlow: number[] = [];
  for (let block = 0; block < (quick ? 3 : 12); block += 1) {
    for (let n = 0; n < BLOCK; n += 1) {
      const answer = (await client.upload()) as { media: { id: string } };
      const accepted = performance.now();
      const verified = await followVerified(url, answer.media.id, agent);
      // The first block compiles the code.
      if (block > 0) toVerified.push(verified - accepted);
    }
    for (let n = 0; n < BLOCK; n += 1) {
      const id = await bare.add();
      const added = performance.now();
      const done = await flows.when(id);
      if (block > 0) emptyFlow.push(Math.max(0, done - added));
    }
  }
  return ([0.5, 0.99] as const).map((share) => ({
    what: `p${String(share * 100)} from the 202 to the verified event of a client that follows, ${String(toVerified.length)} uploads`,
    ours: `${round(quantile(toVerified, share))} ms`,
    against: `${round(quantile(emptyFlow, share))} ms (empty flow)`,
    value: quantile(toVerified, share),
    unit: 'ms',
    spread: { low: Math.min(...toVerified), high: Math.max(...toVerified) },
    target: share === 0.99 ? { atMost: 50 } : null,
  }));
};
