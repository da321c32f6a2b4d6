// The commands of the workspace: node scripts/workspace.mjs <build|check|format|bench|chaos|interleave|holdfast> [arguments]
import './require-node.mjs';
import { buildWorkspace, installWorkspace } from './prepare.mjs';
import { root, run, say } from './run-command.mjs';

/** What must be clean; every step runs, so that one go shows everything. */
const steps = [
  { name: 'format', command: 'prettier', args: ['--check', '--log-level=warn', '.'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  {
    name: 'types',
    command: 'turbo',
    args: ['run', 'typecheck', '--continue', '--output-logs=errors-only', '--log-order=grouped'],
  },
  {
    name: 'boundaries',
    command: 'depcruise',
    args: ['--config', '.dependency-cruiser.mjs', 'apps', 'packages', 'bench', 'chaos', 'e2e', 'interleave'],
  },
  {
    name: 'folders',
    command: 'depcruise',
    args: ['--config', '.dependency-cruiser.folders.mjs', 'apps', 'packages/shared', 'packages/foundation'],
  },
];

/** Runs every check, prints what failed, and resolves with the exit code. */
const check = async () => {
  // The lint rules that know types read the built declarations of the packages.
  const failed = [];
  if ((await run('turbo', ['run', 'build', '--output-logs=errors-only'], { quiet: true })) !== 0) {
    failed.push('build');
  }
  for (const { name, command, args } of steps) {
    say(`check ${name}`);
    if ((await run(command, args)) !== 0) failed.push(name);
  }
  say(failed.length === 0 ? 'All checks passed.' : `Not clean: ${failed.join(', ')}`);
  return failed.length === 0 ? 0 : 1;
};

/** The worker's commands with the settings that npm start uses. */
const holdfast = async (args) => {
  await buildWorkspace();
  const environment = new URL('../apps/launcher/dist/environment.js', import.meta.url).href;
  const { embeddedSetting, loadEnvFile } = await import(environment);
  loadEnvFile();
  // The command runs there, and DATA_DIR may be relative.
  process.chdir(root);
  return run('node', ['apps/worker/dist/holdfast.js', ...args], { env: await embeddedSetting(process.env) });
};

/** Runs the program of a folder. */
const programIn = (folder) => async (args) => {
  await buildWorkspace();
  return run('pnpm', ['--silent', '--dir', folder, 'run', 'start', ...args]);
};

/** Each command resolves with its exit code. */
const commands = {
  build: () => buildWorkspace().then(() => 0),
  check,
  format: () => run('prettier', ['--write', '--log-level=warn', '.']),
  bench: programIn('bench'),
  chaos: programIn('chaos'),
  interleave: programIn('interleave'),
  holdfast,
};

const [name = '', ...args] = process.argv.slice(2);
const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
if (command === undefined) {
  say(`Unknown command "${name}". There are: ${Object.keys(commands).join(', ')}`);
  process.exit(2);
}
await installWorkspace();
process.exitCode = await command(args);
