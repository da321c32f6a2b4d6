import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { isHoldfastError } from '@holdfast/foundation/errors';
import type { MediaHost } from '../media-host/index.js';

/** The metrics of one process for Prometheus, with prom-client's own set of memory, processor time and event loop. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry();
  // Its timer runs also where nobody scrapes: not every 10 ms.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  return registry;
}

/** Methods that may take time or fail. The others answer from memory. */
const counted = [
  'put',
  'annotate',
  'find',
  'remove',
  'list',
  'changes',
  'confirm',
  'putFile',
  'readFile',
  'listFiles',
  'removeFile',
] as const satisfies readonly (keyof MediaHost)[];

type Call = (...args: unknown[]) => Promise<unknown>;

/** The same host; each call is counted by its outcome (`ok`, or the code of the error) and timed. */
export function countHostCalls(host: MediaHost, registry: Registry): MediaHost {
  const registers = [registry];
  const calls = new Counter({
    name: 'holdfast_host_calls_total',
    help: 'Calls to the media host, by call and outcome: ok, or the code of the error.',
    labelNames: ['call', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'holdfast_host_call_duration_seconds',
    help: 'How long calls to the media host took, failed ones included.',
    labelNames: ['call'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers,
  });
  const bytes = new Counter({
    name: 'holdfast_host_stored_bytes_total',
    help: 'Bytes of files that the media host took from this process.',
    registers,
  });
  const observe =
    (name: (typeof counted)[number], call: Call): Call =>
    async (...args) => {
      const startedAt = performance.now();
      let outcome = 'ok';
      try {
        return await call(...args);
      } catch (error) {
        outcome = isHoldfastError(error) ? error.code : 'INTERNAL';
        throw error;
      } finally {
        calls.inc({ call: name, outcome });
        seconds.observe({ call: name }, (performance.now() - startedAt) / 1_000);
      }
    };
  const observed = Object.fromEntries(
    counted.map((name) => [name, observe(name, host[name] as Call)]),
  ) as unknown as Pick<MediaHost, (typeof counted)[number]>;
  return {
    ...host,
    ...observed,
    put: async (request) => {
      const result = await observed.put(request);
      if (!result.existed) bytes.inc(result.asset.bytes);
      return result;
    },
  };
}
