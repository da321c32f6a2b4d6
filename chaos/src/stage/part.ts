import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../until.js';

/** Where things are in the repository; this file runs from `chaos/dist/stage`. */
export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url));

/** One process, started again whenever it ends, as an operator's supervisor would. */
export interface Part {
  name: string;
  /** Where it answers `/livez`. */
  url: string;
  /** Kills it with -9 as soon as it runs; false when it does not within a while. */
  kill(): Promise<boolean>;
  /** SIGSTOP, so long, SIGCONT; false when it is not there to be stopped. */
  pauseFor(ms: number): Promise<boolean>;
  /** Ends that nobody asked for. */
  crashes(): readonly string[];
  /** Stops it for good; false when it had to be killed. */
  stop(): Promise<boolean>;
}

export interface PartOptions {
  name: string;
  file: string;
  env: Record<string, string>;
  url: string;
  logFile: string;
}

const RESTART_AFTER_MS = 400;
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 25_000;

export function startPart({ name, file, env, url, logFile }: PartOptions): Part {
  const crashes: string[] = [];
  let child: ChildProcess | null = null;
  let killed = false;
  const stopping = new AbortController();

  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const log = openSync(logFile, 'a');
      const { PATH = '', HOME = '' } = process.env;
      killed = false;
      const own = spawn(process.execPath, [file], {
        env: { PATH, HOME, NODE_ENV: 'production', ...env },
        stdio: ['ignore', log, log],
      });
      closeSync(log);
      child = own;
      const [code, signal] = (await once(own, 'exit')) as [number | null, NodeJS.Signals | null];
      child = null;
      if (!killed && !stopping.signal.aborted) crashes.push(`${name} ended with ${String(signal ?? code)}`);
      if (!stopping.signal.aborted) await pause(RESTART_AFTER_MS);
    }
  };
  const running = run();
  const isLive = (): Promise<boolean> =>
    fetch(`${url}/livez`, { signal: AbortSignal.timeout(1_000) }).then(
      async (answer) => (await answer.arrayBuffer(), answer.ok),
      () => false,
    );

  return {
    name,
    url,
    kill: async () => {
      // A process that has only just begun to start has nothing to lose yet.
      await until(READY_WITHIN_MS, 50, async () => child !== null && (await isLive()));
      if (child === null) return false;
      killed = true;
      return child.kill('SIGKILL');
    },
    pauseFor: async (ms) => {
      const own = child;
      if (own?.kill('SIGSTOP') !== true) return false;
      try {
        await pause(ms);
      } finally {
        own.kill('SIGCONT');
      }
      return true;
    },
    crashes: () => crashes,
    stop: async () => {
      stopping.abort();
      const own = child;
      own?.kill('SIGCONT');
      own?.kill('SIGTERM');
      let clean = true;
      const timer = setTimeout(() => {
        clean = false;
        own?.kill('SIGKILL');
      }, STOP_WITHIN_MS);
      await running;
      clearTimeout(timer);
      return clean;
    },
  };
}
