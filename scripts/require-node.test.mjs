import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** What a script says in another version of Node.js. */
const runIn = (version, script, ...args) => {
  const versions = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const file = fileURLToPath(new URL(script, import.meta.url));
  const options = { encoding: 'utf8', timeout: 20_000 };
  return spawnSync(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(versions)}`, file, ...args],
    options,
  );
};

it.each(['start.mjs', 'test.mjs', 'workspace.mjs build', 'workspace.mjs check'])(
  'ends %s in a Node.js that is too old, with one line and before anything else',
  (command) => {
    const { status, stdout, stderr } = runIn('18.20.8', ...command.split(' '));
    expect(stderr).toBe('Holdfast needs Node.js 20.19 or newer; this is v18.20.8\n');
    expect(stdout).toBe('');
    expect(status).toBe(1);
  },
);

it.each([
  { version: '20.18.3', status: 1 },
  { version: '20.19.0', status: 0 },
  { version: '22.1.0', status: 0 },
])('ends with $status in Node.js $version', ({ version, status }) => {
  expect(runIn(version, 'require-node.mjs').status).toBe(status);
});
