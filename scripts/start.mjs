// npm start: everything a bare machine needs, then the launcher, in this very process. package.json starts it with
// exec: npm then has no shell between itself and us, passes its signals on to us, and ends when we do.
import './require-node.mjs';
import { buildWorkspace, ensureProgram, installWorkspace } from './prepare.mjs';
import { say } from './run-command.mjs';

if (process.argv.length > 2) {
  // Ignored, they would seem to have worked.
  say(
    'npm start takes no arguments. Settings come from the environment, or from a file named .env: see docs/settings.md',
  );
  process.exit(2);
}
if (process.env.npm_lifecycle_event !== undefined) stopWithNpm(process.ppid);
await installWorkspace();
say('Building ...');
await buildWorkspace();

const launcher = (file) => import(new URL(`../apps/launcher/dist/${file}`, import.meta.url).href);
const { loadEnvFile, needsEmbeddedRedis } = await launcher('environment.js');
loadEnvFile();
// Where it cannot be installed, the launcher says what to do.
if (needsEmbeddedRedis(process.env)) await ensureProgram(['redis-server', 'valkey-server'], 'redis-server');
await launcher('main.js');

/** When npm started us and is killed without passing a signal on, stop as if it had sent one. */
function stopWithNpm(npm) {
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 500);
  timer.unref();
}
