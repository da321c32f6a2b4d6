import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';

export type LogLine = Record<string, unknown> & { message?: string };

/** One process of ours, run as an operator would: the built program, configured by environment alone. */
export interface Program {
  pid: number;
  /** Everything it wrote, as parsed log events where a line is one. */
  log: LogLine[];
  raw: string[];
  /** Resolves with the first line that matches, now or later; rejects when the process ends before. */
  waitForLog(matches: (line: LogLine) => boolean, timeoutMs?: number): Promise<LogLine>;
  waitForText(text: string, timeoutMs?: number): Promise<void>;
  /** Resolves once it has written the text and then stopped (SIGSTOP): a SIGCONT before that would be lost. */
  waitForStop(text: string): Promise<void>;
  signal(signal: NodeJS.Signals): void;
  /** Exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
  stop(): Promise<number | NodeJS.Signals | null>;
  kill(): Promise<void>;
}

/** A process that has not said it by then never will, however busy the machine is. */
const PATIENCE_MS = 60_000;

const root = fileURLToPath(new URL('../../', import.meta.url));

/** `entry` is relative to the repository, e.g. `apps/api/dist/main.js`. Only PATH and HOME are inherited. */
export function startProgram(entry: string, env: Record<string, string>): Program {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [entry], {
    cwd: root,
    env: { PATH, HOME, LOG_FORMAT: 'json', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: LogLine[] = [];
  const raw: string[] = [];
  const watchers = new Set<() => void>();
  const read = (stream: NodeJS.ReadableStream): void => {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        raw.push(line);
        log.push(parse(line));
      }
      for (const look of watchers) look();
    });
  };
  read(child.stdout);
  read(child.stderr);
  let over = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    over = true;
    for (const look of watchers) look();
    return (code ?? signal) as number | NodeJS.Signals | null;
  });
  const waitFor = <T>(find: () => T | undefined, what: string, timeoutMs: number): Promise<T> =>
    new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        watchers.delete(look);
      };
      const fail = (why: string): void => {
        finish();
        reject(new Error(`${entry}: ${what} ${why}; last lines:\n${raw.slice(-15).join('\n')}`));
      };
      const look = (): void => {
        const found = find();
        if (found !== undefined) {
          finish();
          resolve(found);
        } else if (over) fail('did not come before the process ended');
      };
      const timer = setTimeout(() => fail(`did not come within ${String(timeoutMs)} ms`), timeoutMs);
      watchers.add(look);
      look();
    });
  const signal = (name: NodeJS.Signals): void => void child.kill(name);
  const waitForText = async (text: string, timeoutMs = PATIENCE_MS): Promise<void> => {
    await waitFor(() => raw.find((line) => line.includes(text)), JSON.stringify(text), timeoutMs);
  };
  return {
    pid: child.pid ?? 0,
    log,
    raw,
    waitForLog: (matches, timeoutMs = PATIENCE_MS) =>
      waitFor(() => log.find(matches), 'a log event', timeoutMs),
    waitForText,
    waitForStop: async (text) => {
      await waitForText(text);
      const stat = `/proc/${String(child.pid)}/stat`;
      await vi.waitFor(async () => expect(await readFile(stat, 'utf8')).toMatch(/\) T /), { interval: 5 });
    },
    signal,
    ended,
    stop: () => {
      signal('SIGTERM');
      return ended;
    },
    kill: async () => {
      signal('SIGCONT');
      signal('SIGKILL');
      await ended;
    },
  };
}

function parse(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { text: line };
  }
}
