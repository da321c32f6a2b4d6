import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type ListenOptions } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { Redis } from 'ioredis';
import {
  isRunning,
  PROCESSES_FILE,
  readRunningFile,
  REDIS_ROLE,
  type ProcessRegistry,
} from '../processes/processes.js';
import { type RunningProcess, startChild } from '../processes/supervise.js';
import type { ServerProgram } from './redis-program.js';

/** Where the embedded server listens: a socket in its own folder, or a loopback port behind a random password. */
export type ServerAddress =
  { kind: 'socket'; path: string } | { kind: 'port'; port: number; password: string };

/** The longest path that fits into a socket address on every supported system. */
const LONGEST_SOCKET_PATH = 103;

/** A socket where the folder can hold one, else a free port. The caller must own the folder. */
export async function chooseAddress(directory: string): Promise<ServerAddress> {
  const path = join(directory, 'redis.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH && (await canHoldSocket(path)))
    return { kind: 'socket', path };
  return { kind: 'port', port: await freePort(), password: randomBytes(24).toString('hex') };
}

/** The address in the form that HOLDFAST_EMBEDDED_REDIS takes. */
export function addressSetting(address: ServerAddress): string {
  return address.kind === 'socket'
    ? address.path
    : `redis://:${address.password}@127.0.0.1:${String(address.port)}`;
}

/** Some mounted file systems do not support sockets. */
async function canHoldSocket(path: string): Promise<boolean> {
  await rm(path, { force: true });
  try {
    await listenOnce({ path });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const { port } = (await listenOnce({ host: '127.0.0.1', port: 0 })) as AddressInfo;
  return port;
}

async function listenOnce(options: ListenOptions): Promise<unknown> {
  const server = createServer();
  server.listen(options);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return address;
}

const ADDRESS_FILE = 'redis.address';

/**
 * Records where the server will listen, for commands of the same user. Call it before the launch, so that the recorded
 * address of a running server is never an old one.
 */
export async function recordAddress(directory: string, address: ServerAddress): Promise<void> {
  const file = join(directory, ADDRESS_FILE);
  // It may hold a password.
  await writeFile(`${file}.next`, `${addressSetting(address)}\n`, { mode: 0o600 });
  await rename(`${file}.next`, file);
}

/** Where the server of this folder listens. Undefined while it does not run: another program may have its port. */
export function knownAddress(directory: string): string | undefined {
  const listed = readRunningFile(join(directory, PROCESSES_FILE));
  if (!listed.some((one) => one.role === REDIS_ROLE && isRunning(one))) return undefined;
  try {
    return readFileSync(join(directory, ADDRESS_FILE), 'utf8').trim();
  } catch {
    return undefined;
  }
}

interface ServerConfiguration {
  directory: string;
  address: ServerAddress;
  /** False only while an old snapshot is loaded: a server that appends from the start ignores it. */
  appendOnly: boolean;
}

/** Names of files in the server's folder. */
const CONFIGURATION_FILE = 'redis.conf';
export const PID_FILE = 'redis.pid';

/** The text of the server's configuration file. */
export function serverConfiguration({ directory, address, appendOnly }: ServerConfiguration): string {
  const lines = [
    ['dir', quote(directory)],
    // Written by the server itself, so it names an orphan even if the launcher died before writing anything.
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
    // Acknowledged means on disk: every write is synced before its reply is sent.
    ['appendfsync', 'always'],
    ['no-appendfsync-on-rewrite', 'no'],
    // A kill during a write leaves half a command at the end, which was never acknowledged.
    ['aof-load-truncated', 'yes'],
    ['save', '""'],
    ['maxmemory-policy', 'noeviction'],
  ];
  return `${lines.map((line) => line.join(' ')).join('\n')}\n`;
}

function quote(value: string): string {
  return `"${value.replaceAll(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
}

export interface ServerLaunch extends ServerConfiguration {
  program: ServerProgram;
  /** Inherited by the server, so that the folder stays locked as long as it is open. */
  lockFd: number;
  registry: ProcessRegistry;
  log: Logger;
}

const KEPT_LINES = 8;

/** Starts the server; `ready` resolves once it has loaded its data and has proven to be the process we started. */
export async function launchServer(launch: ServerLaunch): Promise<RunningProcess> {
  const { program, directory, lockFd, registry, log } = launch;
  // Not an argument: the password would appear in lists of processes. Not standard input: a launcher that dies here
  // would leave a server with half of its configuration.
  const configurationFile = join(directory, CONFIGURATION_FILE);
  await writeFile(configurationFile, serverConfiguration(launch), { mode: 0o600 });
  const { child, pid, ended, stop } = await startChild(
    REDIS_ROLE,
    program.path,
    [configurationFile],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe', lockFd], env: { LC_ALL: 'C' } },
    registry,
  );
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    log.debug('redis.output', { line });
  };
  for (const output of [child.stdout, child.stderr]) if (output) readLines(output, keep);
  child.once('exit', (code, signal) => {
    if (code !== 0) log.error('redis.ended', { code, signal, lastLines: lines });
  });

  const proveItself = async (): Promise<void> => {
    const processId = await Promise.race([askProcessId(launch, ended), ended]);
    if (processId === pid) return;
    const wrong = typeof processId === 'number' || processId === undefined;
    await stop(0, AbortSignal.abort());
    throw new HoldfastError(
      'REDIS_START_FAILED',
      wrong
        ? `Another server answers at the address of the embedded one (process ${String(processId)}).`
        : `${program.path} ended at its start with code ${String(processId.code)}: ${lines.slice(-3).join(' | ')}`,
    );
  };
  return { pid, ended, stop, ready: proveItself() };
}

/** The pid of the process that answers at the address, once it has loaded its data. */
async function askProcessId({ address }: ServerLaunch, ended: Promise<unknown>): Promise<number | undefined> {
  const client = connectToServer(address);
  void ended.then(() => client.disconnect());
  try {
    const processId = infoField(await client.info('server'), 'process_id');
    return processId === undefined ? undefined : Number(processId);
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

function readLines(output: Readable, keep: (line: string) => void): void {
  createInterface({ input: output }).on('line', keep);
}

const RETRY_MS = 50;

/** A connection for the launcher's own checks. It keeps trying; commands wait until the server has loaded its data. */
export function connectToServer(address: ServerAddress): Redis {
  const client = new Redis({
    ...(address.kind === 'socket'
      ? { path: address.path }
      : { host: '127.0.0.1', port: address.port, password: address.password }),
    connectionName: 'holdfast-launcher',
    retryStrategy: () => RETRY_MS,
    maxRetriesPerRequest: null,
  });
  // Refused connections are expected while the server starts.
  client.on('error', () => undefined);
  return client;
}

/** One field of an INFO reply; undefined if the server omits it. */
export function infoField(info: string, field: string): string | undefined {
  return new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]?.trim();
}
