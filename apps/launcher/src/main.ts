import { fileURLToPath } from 'node:url';
import { runMain } from '@holdfast/foundation/lifecycle';
import { launch } from './launch.js';
import { loadEnvFile } from './environment.js';

const script = (app: string): string => fileURLToPath(new URL(`../../${app}/dist/main.js`, import.meta.url));

loadEnvFile();
// Text for people at a terminal, JSON for everything else.
if (process.stdout.isTTY) process.env['LOG_FORMAT'] ??= 'pretty';

await runMain(() => launch(process.env, { api: script('api'), worker: script('worker') }));
