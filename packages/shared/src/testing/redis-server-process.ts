import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';

/** From util-linux: has the kernel end a process with its parent. */
const DEATH_TIE = '/usr/bin/setpriv';

/** One server process of a sandbox. */
export interface RedisServerProcess {
  pid: number;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** SIGSTOP and SIGCONT. */
  pause(): void;
  resume(): void;
}

/** Fsynced on every write, nothing evicted: what we ask of a server. */
export const durableArgs =
  '--appendonly yes --appendfsync always --save  --maxmemory-policy noeviction'.split(' ');

export async function startRedisServer(binary: string, args: readonly string[]): Promise<RedisServerProcess> {
  const command = [binary, ...args];
  // Tests may be killed: then the server must not live on. Where the tool for that is missing, it would.
  const tied = existsSync(DEATH_TIE) ? [DEATH_TIE, '--pdeathsig', 'KILL', ...command] : command;
  const server = spawn(tied[0] ?? binary, tied.slice(1), { stdio: 'ignore' });
  await once(server, 'spawn');
  return {
    pid: server.pid ?? 0,
    kill: async () => {
      if (server.exitCode !== null || server.signalCode !== null) return;
      const exit = once(server, 'exit');
      server.kill('SIGCONT');
      server.kill('SIGKILL');
      await exit;
    },
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
  };
}

/** Arguments that give a server its place on this machine. */
export function placeArgs(port: number, directory: string): string[] {
  return ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory, '--loglevel', 'warning'];
}
