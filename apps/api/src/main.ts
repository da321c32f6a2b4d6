import { readServingSettings } from '@holdfast/foundation/config';
import { runMain, runUntilSignal } from '@holdfast/foundation/lifecycle';
import { createLogger } from '@holdfast/foundation/logging';
import { openApi } from './api-service.js';

await runMain(async () => {
  const settings = readServingSettings(process.env);
  const log = createLogger(settings.log, 'api');
  await runUntilSignal(openApi(settings, log, process.env), settings.shutdownTimeoutMs, log);
});
