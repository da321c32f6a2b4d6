import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import type { HostObserver } from '../media-host/index.js';

/** The metrics of one process for Prometheus, with prom-client's own set of memory, processor time and event loop. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry();
  // Its timer runs also where nobody scrapes: not every 10 ms.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 100 });
  return registry;
}

/** Counts the calls to the media host by their outcome, times them, and adds up what was stored. */
export function observeHostCalls(registry: Registry): HostObserver {
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
  return {
    ended: (call, outcome, milliseconds) => {
      calls.inc({ call, outcome });
      seconds.observe({ call }, milliseconds / 1_000);
    },
    stored: (size) => bytes.inc(size),
  };
}
