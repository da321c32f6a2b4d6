import { join } from 'node:path';
import type { ServerAddress } from './server-address.js';

export interface ServerConfiguration {
  directory: string;
  address: ServerAddress;
  /** False only while an old snapshot is loaded, which the server ignores when it appends from the start. */
  appendOnly: boolean;
}

/** Names of files in the server's folder. */
export const CONFIGURATION_FILE = 'redis.conf';
export const PID_FILE = 'redis.pid';

/** The text of the server's configuration file. */
export function serverConfiguration({ directory, address, appendOnly }: ServerConfiguration): string {
  const lines = [
    ['dir', quote(directory)],
    // Written by the server itself: it names an orphan even when the launcher died before it could write anything.
    ['pidfile', quote(join(directory, PID_FILE))],
    ...(address.kind === 'socket'
      ? [
          ['port', '0'],
          ['unixsocket', quote(address.path)],
          ['unixsocketperm', '700'],
        ]
      : [
          ['bind', '127.0.0.1'],
          ['port', String(address.port)],
          ['requirepass', quote(address.password)],
        ]),
    ['protected-mode', 'yes'],
    ['daemonize', 'no'],
    ['logfile', '""'],
    ['appendonly', appendOnly ? 'yes' : 'no'],
    // What was acknowledged is on disk: every write is synced before its answer is sent.
    ['appendfsync', 'always'],
    ['no-appendfsync-on-rewrite', 'no'],
    // A kill in the middle of a write leaves half a command at the end, which nobody was told to be safe.
    ['aof-load-truncated', 'yes'],
    ['save', '""'],
    ['maxmemory-policy', 'noeviction'],
  ];
  return `${lines.map((line) => line.join(' ')).join('\n')}\n`;
}

function quote(value: string): string {
  return `"${value.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}
