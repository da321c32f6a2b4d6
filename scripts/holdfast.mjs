// npm run holdfast -- <command>: the worker's commands with the settings that npm start uses.
import { buildWorkspace } from './build-workspace.mjs';
import { root, run } from './run-command.mjs';

const launcher = (file) => import(new URL(`../apps/launcher/dist/${file}`, import.meta.url).href);

/** Resolves with the command's exit code. */
export const holdfast = async (args) => {
  await buildWorkspace();
  const { embeddedSetting, loadEnvFile } = await launcher('environment.js');
  loadEnvFile();
  // The command runs there, and DATA_DIR may be relative.
  process.chdir(root);
  return run('node', ['apps/worker/dist/holdfast.js', ...args], { env: await embeddedSetting(process.env) });
};
