import { fileURLToPath } from 'node:url';
import { explainFailure, toHoldfastError } from '@holdfast/shared/errors';
import { launch } from './launch.js';
import { loadEnvFile } from './load-env-file.js';

const script = (app: string): string => fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));

loadEnvFile();
// At a terminal people read along; elsewhere the lines are for machines.
if (process.stdout.isTTY) process.env['LOG_FORMAT'] ??= 'pretty';
// The terminal or the pipe may go away; that must not take the service down with it.
for (const output of [process.stdout, process.stderr]) output.on('error', () => undefined);

try {
  await launch(process.env, [
    { name: 'api', script: script('api') },
    { name: 'worker', script: script('worker') },
  ]);
} catch (error) {
  process.stderr.write(explainFailure(toHoldfastError(error)));
  process.exit(1);
}
