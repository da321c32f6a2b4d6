import { readSettings, refuseOpenAccess } from '@holdfast/shared/config';
import { explainFailure, toHoldfastError } from '@holdfast/shared/errors';
import { runUntilSignal } from '@holdfast/shared/lifecycle';
import { createLogger } from '@holdfast/shared/logging';
import { apiService } from './api-service.js';

// The terminal or the pipe may go away; that must not take the service down with it.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  const settings = readSettings(process.env);
  refuseOpenAccess(settings);
  const log = createLogger(settings.log, { process: 'api' });
  await runUntilSignal(apiService(settings, log, process.env), {
    log,
    shutdownTimeoutMs: settings.shutdownTimeoutMs,
  });
} catch (error) {
  process.stderr.write(explainFailure(toHoldfastError(error)));
  process.exit(1);
}
