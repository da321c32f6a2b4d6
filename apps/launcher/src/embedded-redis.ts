import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { makeDataFolder } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Logger } from '@holdfast/foundation/logging';
import { Redis } from 'ioredis';
import { lockFolder, redisFolder } from './data-folder.js';
import { type RunningProcess, startChild, supervise } from './supervise.js';

const ADDRESS_FILE = 'redis.address';

/** Time between SIGTERM and SIGKILL: the server only closes its file, whose writes are all synced. */
export const REDIS_STOP_MS = 10_000;

/**
 * A real server as a child process, listening on a socket that only this user can open, on a folder that this start alone has
 * open. Its data survives any kind of end. Rejects with REDIS_SERVER_MISSING where no server can be found, DATA_DIR_IN_USE,
 * DATA_DIR_INCOMPATIBLE, and REDIS_START_FAILED where the folder cannot be used.
 */
export async function embeddedRedis(dataDir: string, searchPath: string, log: Logger) {
  const place = await prepare(redisFolder(dataDir), searchPath, log);
  const { directory, socket, announceClose } = place;
  const server = supervise('redis', () => launchServer(place, log), REDIS_STOP_MS, log);
  return {
    ...server,
    socket,
    announceClose,
    stop: async (deadline: AbortSignal): Promise<void> => {
      await server.stop(deadline);
      if (dirname(socket) !== directory) await rm(dirname(socket), { recursive: true, force: true });
    },
  };
}

/** What a server needs: its program, and a locked folder with the address of its socket. */
async function prepare(directory: string, searchPath: string, log: Logger) {
  try {
    await makeDataFolder(directory, 0o700);
    const locked = await lockFolder(directory, () => reachServer(directory, 'SHUTDOWN\r\n'), log);
    if (existsSync(join(directory, 'dump.rdb')) && !existsSync(join(directory, 'appendonlydir')))
      throw new HoldfastError(
        'DATA_DIR_INCOMPATIBLE',
        `${directory} has a dump.rdb and no append-only file: the server would start empty. Convert it, or move it away; the host refills the catalog`,
      );
    const program = await findServer(searchPath);
    const socket = await chooseSocket(directory);
    // For commands of the same user, and for the next start.
    const addressFile = join(directory, ADDRESS_FILE);
    await writeFile(`${addressFile}.next`, `${socket}\n`);
    await rename(`${addressFile}.next`, addressFile);
    return { ...locked, directory, program, socket };
  } catch (error) {
    // Those of the system name no file for a write to an open one (a full disk).
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw new HoldfastError('REDIS_START_FAILED', `The folder ${directory} cannot be used`, { cause: error });
  }
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

/** Where the server of this folder listens, once it was sent this command; undefined while it does not run. */
export async function reachServer(directory: string, command = ''): Promise<string | undefined> {
  try {
    const path = (await readFile(join(directory, ADDRESS_FILE), 'utf8')).trim();
    const connection = createConnection({ path });
    await once(connection, 'connect');
    connection.on('error', () => undefined).end(command);
    return path;
  } catch {
    return undefined;
  }
}

const configuration = {
  port: '0',
  unixsocketperm: '700',
  daemonize: 'no',
  logfile: '',
  appendonly: 'yes',
  // Acknowledged means on disk: every write is synced before its reply is sent.
  appendfsync: 'always',
  'no-appendfsync-on-rewrite': 'no',
  // A kill during a write leaves half a command at the end, which was never acknowledged.
  'aof-load-truncated': 'yes',
  save: '',
  'maxmemory-policy': 'noeviction',
};

const KEPT_LINES = 8;

/** Starts the server; it is ready once it has loaded its data. */
async function launchServer(
  { program, directory, socket, lockFd }: Awaited<ReturnType<typeof prepare>>,
  log: Logger,
): Promise<RunningProcess> {
  const options = Object.entries({ dir: directory, unixsocket: socket, ...configuration });
  const args = options.flatMap(([name, value]) => [`--${name}`, value]);
  const server = await startChild('/bin/sh', ['-c', ENDING_WITH_PARENT, 'sh', program, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'pipe', lockFd],
    env: { LC_ALL: 'C' },
  });
  guard(server);
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
    ready: hasLoaded(socket, server.ended),
    refusal: () => {
      const said = lines.slice(-3).join(' | ');
      return /RDB format version/.test(said)
        ? new HoldfastError('DATA_DIR_INCOMPATIBLE', `${program} cannot read ${directory}: ${said}`)
        : new HoldfastError('REDIS_START_FAILED', `${program} ended at its start: ${said}`);
    },
  };
}

/** Linux itself ends what was started so, when the launcher is gone. Other systems have no `setpriv`, and only the guard. */
const ENDING_WITH_PARENT = `bound="setpriv --pdeathsig TERM"; $bound true 2>/dev/null || bound=; exec $bound "$@"`;
/** Its input ends when the launcher does, also by kill -9. A shell, so that what kills every Node.js process leaves it. */
const GUARD = `trap '' HUP INT TERM; read -r _; kill -TERM "$1"; sleep 5; kill -KILL "$1"`;

/** Ends the server when this process is gone, also one that no longer reacts. Where both are killed, the next start does. */
function guard({ pid, ended }: Pick<RunningProcess, 'pid' | 'ended'>): void {
  const shell = spawn('/bin/sh', ['-c', GUARD, 'holdfast-guard', String(pid)], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  shell.on('error', () => undefined);
  shell.stdin.on('error', () => undefined);
  void ended.then(() => shell.kill('SIGKILL'));
}

/** False where the server ends before. */
async function hasLoaded(socket: string, ended: Promise<unknown>): Promise<boolean> {
  // Commands wait until it has loaded its data.
  const client = new Redis({ path: socket, retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on('error', () => undefined);
  const isLoaded = await Promise.race([client.ping().then(() => true), ended.then(() => false)]);
  client.disconnect();
  return isLoaded;
}
