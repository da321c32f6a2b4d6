import { explainFailure, toHoldfastError } from '../errors/index.js';
import type { Logger } from '../logging/index.js';
import type { Service } from './service.js';

/** Runs the main function of a process. A rejection is explained on stderr and ends the process with code 1. */
export async function runMain(main: () => Promise<void>): Promise<void> {
  // The terminal or the pipe may close; that must not end the service.
  for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);
  try {
    await main();
  } catch (error) {
    process.stderr.write(explainFailure(toHoldfastError(error)));
    process.exit(1);
  }
}

/** A second signal within this time is the same Ctrl-C delivered twice (process group and parent), not a second request. */
const SAME_SIGNAL_MS = 500;

/**
 * Starts the service, once it is open, and stops it on SIGTERM or SIGINT: softly first, cut short at 80 % of the budget,
 * and at once, with code 1, on a second signal or at its end. The only place that ends a process. A parent that opened a channel to the process, as
 * `npm start` does, gets `started` over it.
 */
export async function runUntilSignal(
  opening: Service | Promise<Service>,
  shutdownTimeoutMs: number,
  log: Logger,
  exit: (code: number) => void = (code) => process.exit(code),
): Promise<void> {
  let stopping: Promise<void> | undefined;
  let askedAt = 0;
  const stop = async (signal: string): Promise<void> => {
    askedAt = performance.now();
    log.info('process.stopping', { signal, budgetMs: shutdownTimeoutMs });
    const hard = setTimeout(() => {
      log.error('process.stop_overran', { budgetMs: shutdownTimeoutMs });
      exit(1);
    }, shutdownTimeoutMs);
    try {
      const root = await Promise.resolve(opening).catch(() => undefined);
      await root?.stop(AbortSignal.timeout(Math.round(shutdownTimeoutMs * 0.8)));
      log.info('process.stopped', { durationMs: Math.round(performance.now() - askedAt) });
      clearTimeout(hard);
      exit(0);
    } catch (error) {
      log.error('process.stop_failed', { error });
      exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => {
      if (stopping === undefined) stopping = stop(signal);
      else if (performance.now() - askedAt >= SAME_SIGNAL_MS) {
        log.warn('process.forced', { signal });
        exit(1);
      }
    });
  // Unhandled rejections come here, too.
  process.on('uncaughtException', (error) => {
    log.error('process.uncaught_exception', { error });
    exit(1);
  });
  // `npm start` was killed, and everything that it started ends with it.
  process.on('disconnect', () => {
    log.error('process.launcher_gone');
    exit(1);
  });
  try {
    await (await opening).start();
    // `npm start` waits for this.
    process.send?.('started');
  } catch (error) {
    // A stop during the start makes the start fail. The stop ends the process.
    if (stopping === undefined) throw error;
    log.debug('process.start_given_up', { error });
    await stopping;
  }
}
