import { readSettings, refuseOpenAccess } from '@holdfast/shared/config';
import { runMain, runUntilSignal } from '@holdfast/shared/lifecycle';
import { createLogger } from '@holdfast/shared/logging';
import { apiService } from './api-service.js';

await runMain(async () => {
  const settings = readSettings(process.env);
  refuseOpenAccess(settings);
  const log = createLogger(settings.log, { process: 'api' });
  await runUntilSignal(apiService(settings, log, process.env), {
    log,
    shutdownTimeoutMs: settings.shutdownTimeoutMs,
  });
});
