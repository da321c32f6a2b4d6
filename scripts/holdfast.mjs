// npm run holdfast -- <command>: the worker's commands with the settings that npm start uses.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { buildWorkspace } from './build-workspace.mjs';
import { root, run } from './run-command.mjs';

const launcher = (file) => import(new URL(`../apps/launcher/dist/${file}`, import.meta.url).href);

/** Resolves with the command's exit code. */
export const holdfast = async (args) => {
  await buildWorkspace();
  const { loadEnvFile } = await launcher('load-env-file.js');
  const { needsEmbeddedRedis } = await launcher('needs-embedded-redis.js');
  loadEnvFile();
  const socket = resolve(root, process.env.DATA_DIR ?? 'data', 'redis', 'redis.sock');
  // The embedded server is there while npm start runs.
  const env =
    needsEmbeddedRedis(process.env) && existsSync(socket) ? { HOLDFAST_EMBEDDED_REDIS: socket } : {};
  return run('node', ['apps/worker/dist/holdfast.js', ...args], { env });
};
