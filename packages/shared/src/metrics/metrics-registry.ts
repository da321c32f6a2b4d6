import { performance } from 'node:perf_hooks';
import { Counter, Gauge, Registry } from 'prom-client';

/** The metrics of one process, as Prometheus reads them. Nothing is measured between two scrapes but what is counted. */
export function createMetricsRegistry(): Registry {
  const registry = new Registry();
  describeProcess(registry);
  return registry;
}

/**
 * Under the names that dashboards know. Not prom-client's own set: that keeps a timer and an observer running for the
 * life of the process, also where nobody scrapes.
 */
function describeProcess(registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric = new Gauge({
      name,
      help,
      registers: [],
      collect() {
        this.set(read());
      },
    });
    registry.registerMetric(metric);
  };
  const counter = (name: string, help: string, read: () => number): void => {
    const metric = new Counter({
      name,
      help,
      registers: [],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
    registry.registerMetric(metric);
  };
  const started = performance.timeOrigin / 1_000;
  gauge('process_start_time_seconds', 'Start of the process, in seconds since the epoch.', () => started);
  gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed);
  gauge(
    'nodejs_external_memory_bytes',
    'Memory of buffers outside the heap.',
    () => process.memoryUsage().external,
  );
  counter('process_cpu_seconds_total', 'Processor time, user and system.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000_000;
  });
  counter(
    'nodejs_eventloop_active_seconds_total',
    'Time in which the event loop was busy.',
    () => performance.eventLoopUtilization().active / 1_000,
  );
  counter(
    'nodejs_eventloop_idle_seconds_total',
    'Time in which the event loop waited.',
    () => performance.eventLoopUtilization().idle / 1_000,
  );
}
