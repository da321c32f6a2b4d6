import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const workspace = fileURLToPath(new URL('workspace.mjs', import.meta.url));
const run = (...args) =>
  spawnSync(process.execPath, [workspace, ...args], { encoding: 'utf8', timeout: 100_000 });

it.each(['bench', 'chaos', 'interleave'])(
  'says what it does not know and how %s is used, and passes its exit code on',
  (command) => {
    const { status, stderr } = run(command, '--bogus');
    expect(stderr).toMatch(
      new RegExp(`^Unknown option '--bogus'.*\n\nnpm run ${command} -- (.*\n)+  --help .*\n$`),
    );
    expect(status).toBe(2);
  },
  120_000,
);
