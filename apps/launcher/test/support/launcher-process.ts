import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { onTestFinished, vi } from 'vitest';
import {
  allGone,
  endProcesses,
  isRunning,
  readRunningFile,
  type RunningEntry,
} from '../../src/processes/processes.js';

const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const WITHIN_MS = 15_000;

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
  /** The processes that are written down and alive. */
  running(role?: string): RunningEntry[];
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
  const running = (role?: string): RunningEntry[] =>
    readRunningFile(join(redisDir, 'processes.json')).filter(
      (one) => isRunning(one) && (role === undefined || one.role === role),
    );

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
    await endProcesses(left, 0);
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
export async function untilGone(processes: readonly RunningEntry[]): Promise<void> {
  if (!(await allGone(processes, WITHIN_MS)))
    throw new Error(
      `still there: ${processes
        .filter((one) => isRunning(one))
        .map((one) => one.role)
        .join(', ')}`,
    );
}
