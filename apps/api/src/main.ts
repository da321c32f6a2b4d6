import { readServingSettings } from '@holdfast/shared/config';
import { runMain, runUntilSignal } from '@holdfast/shared/lifecycle';
import { createLogger } from '@holdfast/shared/logging';
import { apiService } from './api-service.js';

await runMain(async () => {
  const settings = readServingSettings(process.env);
  const log = createLogger(settings.log, { process: 'api' });
  await runUntilSignal(apiService(settings, log, process.env), {
    log,
    shutdownTimeoutMs: settings.shutdownTimeoutMs,
  });
});
