import { run, say } from './run-command.mjs';

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
export const check = async () => {
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
