// The commands of the workspace: node scripts/workspace.mjs <build|check|format|bench|chaos|interleave|holdfast> [arguments]
import './require-node.mjs';
import { buildWorkspace } from './build-workspace.mjs';
import { check } from './check.mjs';
import { holdfast } from './holdfast.mjs';
import { installWorkspace } from './install-workspace.mjs';
import { run, say } from './run-command.mjs';

/** Each command resolves with its exit code. */
const commands = {
  build: async () => {
    await buildWorkspace();
    return 0;
  },
  check,
  format: () => run('prettier', ['--write', '--log-level=warn', '.']),
  bench: async (args) => {
    await buildWorkspace();
    return run('pnpm', ['--silent', '--dir', 'bench', 'run', 'start', ...args]);
  },
  chaos: async (args) => {
    await buildWorkspace();
    return run('pnpm', ['--silent', '--dir', 'chaos', 'run', 'start', ...args]);
  },
  interleave: async (args) => {
    await buildWorkspace();
    return run('pnpm', ['--silent', '--dir', 'interleave', 'run', 'start', ...args]);
  },
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
