import { readSettings, unreadSettings } from '@holdfast/foundation/config';
import { runMain, runUntilSignal } from '@holdfast/foundation/lifecycle';
import { createLogger } from '@holdfast/foundation/logging';
import { createWorkerProcess } from './worker-process.js';

await runMain(async () => {
  const settings = readSettings(process.env);
  const log = createLogger(settings.log, 'worker');
  for (const setting of unreadSettings(process.env)) log.warn('config.unread_setting', { setting });
  await runUntilSignal(createWorkerProcess(settings, log), settings.shutdownTimeoutMs, log);
  log.info('worker.started', { pid: process.pid });
});
