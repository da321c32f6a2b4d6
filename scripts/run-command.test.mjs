import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it, onTestFinished } from 'vitest';

const script = (body) => `
  import { run } from ${JSON.stringify(new URL('run-command.mjs', import.meta.url).href)};
  ${body}
`;

/** Runs lines of a script that uses `run`; resolves with what it printed and its exit code. */
const start = (body) => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script(body)]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  const ended = once(child, 'close').then(([code]) => ({ code, output }));
  return { child, ended, output: () => output };
};

it('answers the exit code of the program, and 127 where there is none', async () => {
  const { ended } = start(`
    console.log(await run('sh', ['-c', 'exit 3'], { quiet: true }));
    console.log(await run('no-such-program', []));
  `);
  expect((await ended).output).toMatch(/^3\nno-such-program cannot be run: .*\n127\n$/);
});

it.each([
  { signal: 'SIGTERM', code: 143 },
  { signal: 'SIGINT', code: 130 },
])('goes no further after $signal, also when the program ends well', async ({ signal, code }) => {
  const { child, ended, output } = start(`
    await run('sh', ['-c', 'trap "exit 0" INT TERM; echo ready; while :; do sleep 0.05; done']);
    console.log('went on');
  `);
  await expect.poll(output, { timeout: 10_000 }).toBe('ready\n');
  child.kill(signal);
  expect(await ended).toEqual({ code, output: 'ready\n' });
});
