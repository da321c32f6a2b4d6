import { readServingSettings } from '@holdfast/foundation/config';
import { runMain, runUntilSignal } from '@holdfast/foundation/lifecycle';
import { createLogger } from '@holdfast/foundation/logging';
import { apiService } from './api-service.js';

await runMain(async () => {
  const settings = readServingSettings(process.env);
  const log = createLogger(settings.log, { process: 'api' });
  await runUntilSignal(apiService(settings, log, process.env), {
    log,
    shutdownTimeoutMs: settings.shutdownTimeoutMs,
  });
});
