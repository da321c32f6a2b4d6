import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import { quantile } from '../statistics.js';
import { startBareFlow } from '../stage/bare-flow.js';
import { watchCompletions } from '../stage/completions.js';
import { startHoldfast } from '../stage/holdfast.js';
import { uploadClient } from '../stage/upload-client.js';

const BLOCK = 50;

/** One upload after the other: from the 202 until the worker is done with the record, seen from outside. */
export const latency: MeasureRow = async ({ quick }, cleanUp) => {
  const { redis, keys, folder, url } = await startHoldfast(cleanUp);
  const bare = await startBareFlow(redis, folder, cleanUp);
  const ours = await watchCompletions(
    'verify',
    keys.prefix,
    { host: '127.0.0.1', port: redis.port },
    cleanUp,
  );
  const theirs = await watchCompletions('verify', bare.prefix, bare.connection, cleanUp);
  const client = uploadClient(`${url}/api/media/upload`, 100_000);
  cleanUp.defer(async () => client.close());

  const toVerified: number[] = [];
  const emptyFlow: number[] = [];
  for (let block = 0; block < (quick ? 3 : 12); block += 1) {
    for (let n = 0; n < BLOCK; n += 1) {
      const answer = (await client.upload()) as { media: { id: string } };
      const accepted = performance.now();
      const verified = await ours.when(`verify-${answer.media.id}-1`);
      // Verified before the answer had arrived is no time at all.
      if (block > 0) toVerified.push(Math.max(0, verified - accepted));
    }
    for (let n = 0; n < BLOCK; n += 1) {
      const id = await bare.add();
      const added = performance.now();
      const done = await theirs.when(id);
      if (block > 0) emptyFlow.push(Math.max(0, done - added));
    }
  }
  return ([0.5, 0.99] as const).map((share) => ({
    what: `p${String(share * 100)} from 202 to verified, ${String(toVerified.length)} uploads`,
    ours: `${round(quantile(toVerified, share))} ms`,
    against: `${round(quantile(emptyFlow, share))} ms (empty flow)`,
    value: quantile(toVerified, share),
    unit: 'ms',
    spread: { low: Math.min(...toVerified), high: Math.max(...toVerified) },
    target: share === 0.99 ? { atMost: 50 } : null,
  }));
};
