import { spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { expect, onTestFinished, vi } from 'vitest';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const WITHIN_MS = 15_000;

/** A process that a launcher has started. */
export interface StartedProcess {
  role: 'api' | 'worker' | 'part' | 'redis' | 'guard';
  pid: number;
}

/** Those on this data that run now. */
export function processesOn(dataDir: string): StartedProcess[] {
  const all = readdirSync('/proc').map(Number).filter(Number.isInteger);
  const found = all.flatMap((pid): StartedProcess[] => {
    const role = roleOf(pid, dataDir);
    return role === undefined ? [] : [{ role, pid }];
  });
  const redis = new Set(found.filter(({ role }) => role === 'redis').map(({ pid }) => String(pid)));
  const isGuard = (pid: number): boolean => {
    const [name, server = ''] = read(pid, 'cmdline').split('\0').slice(3);
    return name === 'holdfast-guard' && redis.has(server);
  };
  return [...found, ...all.filter(isGuard).map((pid) => ({ role: 'guard' as const, pid }))];
}

function roleOf(pid: number, dataDir: string): StartedProcess['role'] | undefined {
  try {
    if (!isRunning({ pid })) return undefined;
    if (readlinkSync(`/proc/${String(pid)}/cwd`) === join(dataDir, 'redis')) return 'redis';
    if (!read(pid, 'environ').split('\0').includes(`DATA_DIR=${dataDir}`)) return undefined;
    const script = read(pid, 'cmdline').split('\0').at(-2) ?? '';
    return (['api', 'worker', 'part'] as const).find((role) =>
      [`/${role}/dist/main.js`, `/${role}.mjs`].some((end) => script.startsWith('/') && script.endsWith(end)),
    );
  } catch {
    return undefined;
  }
}

function read(pid: number, what: 'cmdline' | 'environ' | 'stat'): string {
  try {
    return readFileSync(`/proc/${String(pid)}/${what}`, 'utf8');
  } catch {
    return '';
  }
}

/** Not those that have ended and wait for their parent. */
export function isRunning({ pid }: Pick<StartedProcess, 'pid'>): boolean {
  const stat = read(pid, 'stat');
  return stat !== '' && !/^ [ZX]/.test(stat.slice(stat.lastIndexOf(')') + 1));
}

export function killAll(processes: readonly StartedProcess[]): void {
  for (const one of processes) if (isRunning(one)) process.kill(one.pid, 'SIGKILL');
}

/** An event of the launcher's log. */
export interface LogEvent {
  message: string;
  [field: string]: unknown;
}

export interface LauncherProcess {
  child: ChildProcess;
  pid: number;
  /** Everything it and its parts printed so far. */
  output(): string;
  events(name: string): LogEvent[];
  untilEvent(name: string, count?: number): Promise<LogEvent>;
  /** Resolves when it is gone and its output is complete, which may take as long as its parts live. */
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Kills it without warning; resolves when it is gone. */
  kill(): Promise<void>;
}

/** A place for one installation of Holdfast, and what a test needs to look at it. */
export interface Sandbox {
  dataDir: string;
  redisDir: string;
  journal(): string[];
  running(role?: StartedProcess['role']): StartedProcess[];
  start(env?: Record<string, string>): LauncherProcess;
  /** Starts and waits until the part runs. */
  startAndWait(env?: Record<string, string>): Promise<LauncherProcess>;
  connect(): Redis;
  /** A search path with no server but the one named. */
  pathWithOnly(...servers: readonly string[]): string;
}

/** A new folder for the running test; whatever still runs or lies there afterwards is removed. */
export function createSandbox(name = 'holdfast-launcher-'): Sandbox {
  const folder = mkdtempSync(join(tmpdir(), name));
  const dataDir = join(folder, 'data');
  const redisDir = join(dataDir, 'redis');
  const journalFile = join(folder, 'journal');
  const launchers: LauncherProcess[] = [];
  const running = (role?: StartedProcess['role']): StartedProcess[] =>
    processesOn(dataDir).filter((one) => role === undefined || one.role === role);

  const start = (env: Record<string, string> = {}): LauncherProcess => {
    const child = spawn(process.execPath, [fixture('start.mjs'), `part=${fixture('part.mjs')}`], {
      cwd: folder,
      // A group of its own, as at a terminal: a test can signal all of it at once.
      detached: true,
      env: {
        PATH: process.env['PATH'],
        DATA_DIR: dataDir,
        JOURNAL: journalFile,
        LOG_LEVEL: 'info',
        PORT: '0',
        SHUTDOWN_TIMEOUT_SECONDS: '5',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const events = (message: string): LogEvent[] =>
      output
        .split('\n')
        .filter((line) => line.startsWith('{') && line.endsWith('}'))
        .map((line) => JSON.parse(line) as LogEvent)
        .filter((event) => event.message === message);
    const died = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    const launcher: LauncherProcess = {
      child,
      pid: child.pid ?? 0,
      output: () => output,
      events,
      untilEvent: (message, count = 1) =>
        vi.waitFor(
          () => {
            const event = events(message)[count - 1];
            if (event === undefined) throw new Error(`no ${message} in:\n${output}`);
            return event;
          },
          { timeout: WITHIN_MS, interval: 20 },
        ),
      ended: new Promise((resolve) => {
        child.once('close', (code, signal) => resolve({ code, signal }));
      }),
      kill: () => {
        child.kill('SIGKILL');
        return died;
      },
    };
    launchers.push(launcher);
    return launcher;
  };

  onTestFinished(async () => {
    const left = running();
    await Promise.all(launchers.map((one) => one.kill()));
    killAll(left);
    await untilGone(left);
    rmSync(folder, { recursive: true, force: true });
  });

  const journal = (): string[] =>
    existsSync(journalFile) ? readFileSync(journalFile, 'utf8').trim().split('\n') : [];
  return {
    dataDir,
    redisDir,
    journal,
    running,
    start,
    startAndWait: async (env) => {
      const before = journal().filter((line) => line === 'started').length;
      const launcher = start(env);
      await vi.waitFor(
        () => {
          const started = journal().filter((line) => line === 'started').length;
          if (started === before) throw new Error(`not started:\n${launcher.output()}`);
        },
        { timeout: WITHIN_MS, interval: 20 },
      );
      return launcher;
    },
    connect: () => {
      const redis = new Redis({ path: join(redisDir, 'redis.sock'), retryStrategy: () => 50 });
      redis.on('error', () => undefined);
      onTestFinished(() => redis.disconnect());
      return redis;
    },
    pathWithOnly: (...servers) => {
      const programs = join(folder, `programs-${servers.join('-')}`);
      mkdirSync(programs, { recursive: true });
      for (const program of ['flock', ...servers]) {
        const target = findProgram(program);
        if (target !== undefined && !existsSync(join(programs, program)))
          symlinkSync(target, join(programs, program));
      }
      return programs;
    },
  };
}

/** Where a program is, undefined where there is none. */
export function findProgram(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file));
}

/** Resolves once none of them runs; fails the test when that takes too long. */
export async function untilGone(processes: readonly StartedProcess[]): Promise<void> {
  await expect
    .poll(() => processes.filter(isRunning).map(({ role }) => role), { timeout: WITHIN_MS, interval: 20 })
    .toEqual([]);
}
