import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Service } from '@holdfast/foundation/lifecycle';
import type { Logger } from '@holdfast/foundation/logging';
import { Redis } from 'ioredis';
import { type RunningProcess, startChild, supervise } from './supervise.js';

/** Time between SIGTERM and SIGKILL: the server only closes its file, whose writes are all synced. */
export const REDIS_STOP_MS = 10_000;

interface EmbeddedRedisOptions {
  directory: string;
  /** Inherited by the server, so that the folder stays locked as long as it is open. */
  lockFd: number;
  searchPath: string;
  log: Logger;
}

/**
 * A real server as a child process, listening on a socket that only this user can open. Its data survives any kind of end.
 * Rejects with REDIS_SERVER_MISSING where no server can be found.
 */
export async function embeddedRedis(options: EmbeddedRedisOptions): Promise<Service & { socket: string }> {
  const { directory, searchPath, log } = options;
  const program = await findServer(searchPath);
  const socket = await inDataFolder(directory, async () => {
    const chosen = await chooseSocket(directory);
    await recordSocket(directory, chosen);
    return chosen;
  });
  const launch = (): Promise<RunningProcess> => launchServer({ ...options, program, socket });
  const server = supervise({ name: 'redis', launch, stopBudgetMs: REDIS_STOP_MS }, log);
  return {
    name: server.name,
    socket,
    start: () => inDataFolder(directory, () => server.start()),
    stop: async (deadline) => {
      await server.stop(deadline);
      if (dirname(socket) !== directory) await rm(dirname(socket), { recursive: true, force: true });
    },
  };
}

const PROGRAM_NAMES = ['redis-server', 'valkey-server'];
/** The append-only file in parts, with a manifest, came with 7.0. */
const OLDEST_MAJOR = 7;
/** The start script installs one itself where it can. */
const INSTALL_HINT =
  'sudo apt-get install redis-server (Debian, Ubuntu), or brew install redis (macOS), or set REDIS_URL';

/** The first usable server on the search path. */
export async function findServer(searchPath: string): Promise<string> {
  let reason = 'No Redis is configured, and there is no redis-server or valkey-server on PATH.';
  for (const folder of searchPath.split(delimiter).filter((entry) => entry !== ''))
    for (const name of PROGRAM_NAMES) {
      const path = join(folder, name);
      const version = await versionOf(path);
      if (version === undefined) continue;
      if (Number.parseInt(version, 10) >= OLDEST_MAJOR) return path;
      reason = `${path} is version ${version}; ${String(OLDEST_MAJOR)}.0 or newer is needed.`;
    }
  throw new HoldfastError('REDIS_SERVER_MISSING', `${reason} Install one: ${INSTALL_HINT}`);
}

async function versionOf(path: string): Promise<string | undefined> {
  const run = promisify(execFile)(path, ['--version'], { timeout: 10_000 });
  const { stdout } = await run.catch(() => ({ stdout: '' }));
  return /^(?:Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
}

/** The longest path that fits into a socket address on every supported system. */
const LONGEST_SOCKET_PATH = 103;

/** A socket in the server's folder; elsewhere, in a folder of this user, where that is too deep or its file system has no sockets. */
async function chooseSocket(directory: string): Promise<string> {
  const path = join(directory, 'redis.sock');
  if (Buffer.byteLength(path) <= LONGEST_SOCKET_PATH && (await canHoldSocket(path))) return path;
  return join(await mkdtemp(join(tmpdir(), 'holdfast-')), 'redis.sock');
}

async function canHoldSocket(path: string): Promise<boolean> {
  await rm(path, { force: true });
  const server = createServer().listen(path);
  const isListening = await once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.close();
  return isListening;
}

const ADDRESS_FILE = 'redis.address';

/** For commands of the same user, and for the next start. */
async function recordSocket(directory: string, socket: string): Promise<void> {
  const file = join(directory, ADDRESS_FILE);
  await writeFile(`${file}.next`, `${socket}\n`);
  await rename(`${file}.next`, file);
}

/** Where the server of this folder listened last. */
export function recordedSocket(directory: string): string | undefined {
  try {
    return readFileSync(join(directory, ADDRESS_FILE), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** Where the server of this folder listens; undefined while it does not run. */
export async function runningSocket(directory: string): Promise<string | undefined> {
  const path = recordedSocket(directory);
  if (path === undefined) return undefined;
  const connection = createConnection({ path });
  const isListening = await once(connection, 'connect').then(
    () => true,
    () => false,
  );
  connection.destroy();
  return isListening ? path : undefined;
}

/** The text of the server's configuration file. */
export function serverConfiguration({ directory, socket }: { directory: string; socket: string }): string {
  const lines = [
    ['dir', quote(directory)],
    ['port', '0'],
    ['unixsocket', quote(socket)],
    ['unixsocketperm', '700'],
    ['daemonize', 'no'],
    ['logfile', '""'],
    ['appendonly', 'yes'],
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

interface ServerLaunch extends Omit<EmbeddedRedisOptions, 'searchPath'> {
  program: string;
  socket: string;
}

const KEPT_LINES = 8;

/** Starts the server; it is ready once it has loaded its data. */
async function launchServer(launch: ServerLaunch): Promise<RunningProcess> {
  const { program, directory, socket, lockFd, log } = launch;
  // Not standard input: a launcher that dies here would leave a server with half of its configuration.
  if (existsSync(join(directory, 'dump.rdb')) && !existsSync(join(directory, 'appendonlydir')))
    throw new HoldfastError(
      'DATA_DIR_INCOMPATIBLE',
      `${directory} has a dump.rdb and no append-only file: the server would start empty. Convert it, or move it away; the host refills the catalog`,
    );
  const configuration = join(directory, 'redis.conf');
  await writeFile(configuration, serverConfiguration(launch), { mode: 0o600 });
  const server = await startChild(program, [configuration], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', lockFd],
    env: { LC_ALL: 'C' },
  });
  endWithLauncher(server);
  const lines: string[] = [];
  for (const output of [server.child.stdout, server.child.stderr])
    if (output)
      createInterface({ input: output }).on('line', (line) => {
        lines.push(line);
        if (lines.length > KEPT_LINES) lines.shift();
        log.debug('redis.output', { line });
      });
  server.child.once('exit', (code, signal) => {
    if (code !== 0) log.error('redis.ended', { code, signal, lastLines: lines });
  });
  return {
    ...server,
    ready: untilLoaded(socket, server.ended),
    refusal: () => {
      const said = lines.slice(-3).join(' | ');
      return /RDB format version/.test(said)
        ? new HoldfastError('DATA_DIR_INCOMPATIBLE', `${program} cannot read ${directory}: ${said}`)
        : new HoldfastError('REDIS_START_FAILED', `${program} ended at its start: ${said}`);
    },
  };
}

/** The guard: a shell, so that what kills every Node.js process leaves it. Its input ends when the launcher does. */
const GUARD = `trap '' HUP INT TERM; read -r _; kill -TERM "$1"; sleep 5; kill -KILL "$1"`;

/** Ends the server when this process is gone, also by kill -9. */
function endWithLauncher({ pid, ended }: Pick<RunningProcess, 'pid' | 'ended'>): void {
  const guard = spawn('/bin/sh', ['-c', GUARD, 'holdfast-guard', String(pid)], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without one, the next start ends the server.
  guard.on('error', () => undefined);
  guard.stdin.on('error', () => undefined);
  void ended.then(() => guard.kill('SIGKILL'));
}

/** Pending for ever where the server ends before. */
async function untilLoaded(socket: string, ended: Promise<unknown>): Promise<void> {
  // Commands wait until it has loaded its data.
  const client = new Redis({ path: socket, retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const end = ended.then(() => client.disconnect());
  await client.ping().catch(() => end.then(() => new Promise<never>(() => undefined)));
  client.disconnect();
}

/** Asks the server of this folder to end, if it listens. */
export async function shutDownServer(directory: string): Promise<void> {
  const path = recordedSocket(directory);
  if (path === undefined) return;
  const client = new Redis({
    path,
    retryStrategy: () => null,
    enableReadyCheck: false,
    commandTimeout: 2_000,
  });
  client.on('error', () => undefined);
  // The connection ends instead of an answer.
  await client.shutdown().catch(() => undefined);
  client.disconnect();
}

/**
 * Runs the work and adds the folder to errors of the system, which name no file for a write to an open one (a full disk).
 * Throws REDIS_START_FAILED for those, and passes other errors on.
 */
export async function inDataFolder<T>(directory: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be used`, { cause: error });
  }
}
