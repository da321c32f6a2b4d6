import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { killAll, processesOn, untilGone, type StartedProcess } from './support/launcher-process.js';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const START_MS = 90_000;

interface Started {
  folder: string;
  npm: ChildProcess;
  ended: Promise<unknown[]>;
  address: string;
  /** What it has printed so far. */
  output: () => string;
  running: readonly StartedProcess[];
}

/** The real command, in this very checkout, on data of the test's own and any port. */
async function npmStart(name = ''): Promise<Started> {
  const { npm, ended, folder, output } = spawnNpmStart(name);
  const ready = vi.waitFor(
    () => {
      if (!output().includes('Holdfast is running.')) throw new Error(output());
    },
    { timeout: START_MS, interval: 50 },
  );
  const tooEarly = ended.then(() => {
    throw new Error(`npm start ended:\n${output()}`);
  });
  // Whichever comes second is not awaited.
  for (const one of [ready, tooEarly]) one.catch(() => undefined);
  await Promise.race([ready, tooEarly]);
  return {
    folder,
    npm,
    ended,
    address: /Console +(\S+)\/\n/.exec(output())?.[1] ?? '',
    output,
    running: processesOn(folder),
  };
}

function spawnNpmStart(
  name: string,
  env: Record<string, string> = {},
): Pick<Started, 'npm' | 'ended' | 'folder' | 'output'> {
  const folder = mkdtempSync(join(tmpdir(), `holdfast-npm-start-${name}`));
  const npm = spawn('npm', ['start'], {
    cwd: root,
    detached: true,
    // production: a developer's .env must not decide what the test sees.
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NODE_ENV: 'production',
      DATA_DIR: folder,
      PORT: '0',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(npm, 'exit');
  let output = '';
  for (const stream of [npm.stdout, npm.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  onTestFinished(async () => {
    const left = processesOn(folder);
    try {
      process.kill(-(npm.pid ?? 0), 'SIGKILL');
    } catch {
      // The whole group is gone already.
    }
    killAll(left);
    await untilGone(left);
    rmSync(folder, { recursive: true, force: true });
  });
  return { npm, ended, folder, output: () => output };
}

it('runs the API, the worker and Redis, and npm exits 0 after all of them on a signal', async () => {
  const { npm, ended, address, output, running } = await npmStart();
  expect((await fetch(`${address}/livez`)).status).toBe(200);
  expect(output()).toContain(`  Console     ${address}/\n`);
  expect(await (await fetch(address)).text()).toContain('<title>Holdfast</title>');
  expect(running.map((one) => one.role).toSorted()).toEqual(['api', 'guard', 'redis', 'worker']);
  npm.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  await untilGone(running);
});

it('restarts a killed API on the port that was announced', async () => {
  const { npm, ended, address, running } = await npmStart();
  const api = running.find(({ role }) => role === 'api');
  process.kill(api?.pid ?? 0, 'SIGKILL');
  await untilGone(running.filter((one) => one === api));
  await vi.waitFor(async () => expect((await fetch(`${address}/livez`)).status).toBe(200), {
    timeout: START_MS,
    interval: 50,
  });
  npm.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

it('ends everything when npm itself is killed', async () => {
  const { npm, running } = await npmStart();
  npm.kill('SIGKILL');
  await untilGone(running);
  expect(running).toHaveLength(4);
});

it.each(['PORT', 'WORKER_PORT'])(
  'ends, and announces nothing, when another program has the address of %s',
  async (setting) => {
    const other = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { ended, folder, output } = spawnNpmStart('', { [setting]: String(port) });
    expect(await ended).toEqual([1, null]);
    expect(output()).toContain(`  ${setting} is used by another program\n`);
    expect(output()).not.toContain('Holdfast is running.');
    expect(processesOn(folder)).toEqual([]);
  },
);

/** `npm run holdfast -- restore` on that folder, whatever the environment says of an embedded server. */
function restoreOn(folder: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('npm', ['run', '--silent', 'holdfast', '--', 'restore', '--json'], {
    cwd: root,
    encoding: 'utf8',
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      NODE_ENV: 'production',
      DATA_DIR: folder,
      HOLDFAST_EMBEDDED_REDIS: 'redis://127.0.0.1:1',
    },
  });
}

it('lets the commands work on its Redis while it runs, also where its socket is elsewhere', async () => {
  const { folder, npm, ended } = await npmStart('deep'.repeat(20));
  // Whether there is a snapshot yet or not.
  expect(JSON.parse(restoreOn(folder).stdout)).toHaveProperty('restored');
  npm.kill('SIGTERM');
  await ended;
  const after = restoreOn(folder);
  expect(after.stderr).toContain('CONFIG_INVALID');
  expect(after.stderr).toContain(`npm start must run, with DATA_DIR=${folder}`);
  expect(after.status).toBe(1);
});
