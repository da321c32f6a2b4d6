import { readSettings } from '@holdfast/shared/config';
import { explainFailure, toHoldfastError } from '@holdfast/shared/errors';
import { runUntilSignal } from '@holdfast/shared/lifecycle';
import { createLogger } from '@holdfast/shared/logging';
import { createWorkerProcess } from './worker-process.js';

// The terminal or the pipe may go away; that must not take the service down with it.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  const settings = readSettings(process.env);
  const log = createLogger(settings.log, { process: 'worker' });
  const worker = await createWorkerProcess(settings, log);
  await runUntilSignal(worker, { log, shutdownTimeoutMs: settings.shutdownTimeoutMs });
  log.info('worker.started', { pid: process.pid });
} catch (error) {
  process.stderr.write(explainFailure(toHoldfastError(error)));
  process.exit(1);
}
