import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from '../until.js';
import type { CleanUp } from './clean-up.js';

/** A process under measurement. */
export interface Program {
  pid: number;
  /** Resolves once this address answers 200; rejects with its last output when the process ends before. */
  waitFor(address: string): Promise<void>;
  stop(): Promise<void>;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
}

/** Where things are in the repository; this file runs from `bench/dist/stage`. */
export const repositoryFile = (path: string): string =>
  fileURLToPath(new URL(`../../../${path}`, import.meta.url));

let started = 0;

/**
 * Starts `node <file>` as an operator would, configured by environment alone, its output going to a file in `folder`.
 * With CPU_PROF set to a folder, each process writes a CPU profile there when it ends.
 */
export async function startProgram(
  file: string,
  env: Record<string, string>,
  folder: string,
  cleanUp: CleanUp,
): Promise<Program> {
  const { PATH = '', HOME = '', CPU_PROF } = process.env;
  started += 1;
  const logFile = join(folder, `program-${String(started)}.log`);
  const log = await open(logFile, 'w');
  const profile = CPU_PROF === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${CPU_PROF}`];
  const child = spawn(process.execPath, [...profile, file], {
    env: { PATH, HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', log.fd, log.fd],
  });
  await log.close();
  const ended = once(child, 'exit');
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null;
  const stop = async (): Promise<void> => {
    if (isOver()) return;
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
    await ended;
    clearTimeout(timer);
  };
  cleanUp.defer(stop);
  return {
    pid: child.pid ?? 0,
    stop,
    kill: async () => {
      if (isOver()) return;
      child.kill('SIGKILL');
      await ended;
    },
    waitFor: (address) =>
      until(`${file} at ${address}`, 30_000, 50, async () => {
        if (isOver()) {
          const output = await readFile(logFile, 'utf8');
          throw new Error(`${file} ended at its start:\n${output.split('\n').slice(-12).join('\n')}`);
        }
        const response = await fetch(address).catch(() => null);
        await response?.arrayBuffer();
        return response?.ok === true;
      }),
  };
}
