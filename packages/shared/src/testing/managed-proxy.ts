import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { startFaultProxy, type FaultProxy } from './fault-proxy.js';
import { eventually } from './redis-nodes.js';
import { startRedisSandbox, type RedisSandbox } from './redis-sandbox.js';
import type { RedisServers } from './redis-servers.js';

/** How a service that rents out Redis differs from a server of one's own. */
export interface ManagedService {
  /**
   * What the service itself answers, by command (`ROLE`) or subcommand (`CLIENT KILL`), as the protocol spells it:
   * `-ERR unknown command`, `*0`.
   */
  answers: Readonly<Record<string, string>>;
  /** Rewrites the text that INFO answers. */
  info: (text: string) => string;
  /** How far reads are behind writes of other connections; scripts, transactions and blocking commands never are. */
  readsLagMs: number;
  /**
   * Serves `left` more commands, those inside MULTI and pipelines counted each, then refuses all. Services do not document
   * which commands are free: by default those that set up and examine a connection.
   */
  quota: { left: number; error: string; free?: readonly string[] } | null;
  /** Refuses writes that need room with this error; serves reads and deletes. */
  full: string | null;
  /** Refuses a reply that exceeds this, and a command that does, with those that its connection awaits replies to. */
  requestBytes: { limit: number; error: string } | null;
  /** Closes further connections, with an error or at once. */
  connections: { limit: number; error: string | null } | null;
  /** Closes connections that carry nothing for so long; 0 never does. */
  idleMs: number;
  /** Added each way. */
  latencyMs: number;
}

const ownServer: ManagedService = {
  answers: {},
  info: (text) => text,
  readsLagMs: 0,
  quota: null,
  full: null,
  requestBytes: null,
  connections: null,
  idleMs: 0,
  latencyMs: 0,
};

export interface ManagedRedis extends RedisServers {
  /** The address of the service. */
  url: string;
  /** The real server behind it; `client` talks to this one directly. */
  server: RedisSandbox;
  /** The line to the service, for cuts and the like. Its mode belongs to `configure`. */
  line: FaultProxy;
  /** Changes some of its behaviour, for open connections too. */
  configure(change: Partial<ManagedService>): Promise<void>;
  /** Commands received since the last reset, by connection name and command. */
  counts(): Record<string, Record<string, number>>;
  /** Their sum. */
  commands(): number;
  /** How many of them the service refused. */
  refused(): number;
  resetCounts(): void;
  /** Connections now, and since the last reset: the most at once, and how many were opened. */
  connections(): { open: number; most: number; opened: number };
}

const usuallyFree = ['AUTH', 'HELLO', 'SELECT', 'COMMAND', 'CONFIG', 'INFO', 'PING', 'QUIT', 'CLIENT'];
const setsUp = new Set(['AUTH', 'HELLO', 'SELECT']);
/** Fails, and discards the transaction that it is part of, as a refusal of the real server would. */
const failing = Buffer.from('*1\r\n$7\r\nREFUSED\r\n');
const discard = Buffer.from('*1\r\n$7\r\nDISCARD\r\n');
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** A replica may be this much later than its lag, on a busy machine. */
const LATE_MS = 250;

interface Expected {
  from: Socket;
  writes: boolean;
  bytes: number;
  rewrite: (reply: Buffer) => Buffer;
  reply?: Buffer;
}

/** A real redis-server behind a proxy that speaks its protocol and treats clients as rented servers do. */
export async function startManagedRedis(
  first: Partial<ManagedService> = {},
  redisArgs: readonly string[] = [],
): Promise<ManagedRedis> {
  const server = await startRedisSandbox(redisArgs);
  const { reads, writes } = await commandKinds(server);
  const open = new Set<Socket>();
  let service = ownServer;
  let replica: { server: RedisSandbox; link: FaultProxy } | undefined;
  let tally = new Map<string, Map<string, number>>();
  let most = 0;
  let opened = 0;
  let refused = 0;

  const count = (name: string, command: string): void => {
    const commands = tally.get(name) ?? new Map<string, number>();
    tally.set(name, commands.set(command, (commands.get(command) ?? 0) + 1));
  };
  /** The service's own reply to a command, or undefined where the server replies. */
  const ownReply = (command: string, subcommand: string, bytes: number): string | undefined => {
    const { answers, quota, requestBytes } = service;
    const answer = answers[`${command} ${subcommand}`] ?? answers[command];
    if (answer !== undefined) return answer;
    if (quota !== null && !(quota.free ?? usuallyFree).includes(command)) {
      if (quota.left <= 0) return `-${quota.error}`;
      quota.left -= 1;
    }
    return requestBytes !== null && bytes > requestBytes.limit ? `-${requestBytes.error}` : undefined;
  };
  const serverReply = (command: string, reply: Buffer): Buffer => {
    const { full, info, requestBytes } = service;
    if (requestBytes !== null && reply.length > requestBytes.limit)
      return Buffer.from(`-${requestBytes.error}\r\n`);
    if (command === 'INFO') return rewriteText(reply, info);
    return full === null ? reply : spellOutOfMemory(reply, full);
  };

  const serve = (client: Socket): void => {
    const expected: Expected[] = [];
    /** What made this connection what it is, for the one to the replica. */
    const setUp: Buffer[] = [];
    let toReplica: Socket | undefined;
    let name = '';
    let inTransaction = false;
    let awaited = 0;
    let wroteAt = -Infinity;

    const connectTo = (port: number, skip: number): Socket => {
      const upstream = connect(port, '127.0.0.1');
      upstream.setNoDelay(true);
      upstream.on('error', () => undefined);
      upstream.once('close', () => client.destroySoon());
      client.once('close', () => upstream.destroy());
      let toSkip = skip;
      onEachValue(upstream, (reply) => {
        if (toSkip > 0) toSkip -= 1;
        else if (isPush(reply)) client.write(reply);
        else answer(upstream, reply);
      });
      return upstream;
    };
    const answer = (from: Socket, reply: Buffer): void => {
      const answered = expected.find((one) => one.from === from && one.reply === undefined);
      if (answered === undefined) return;
      answered.reply = answered.rewrite(reply);
      awaited -= answered.bytes;
      if (answered.writes) wroteAt = performance.now();
      while (expected[0]?.reply !== undefined) client.write(expected.shift()?.reply ?? '');
    };
    const primary = connectTo(server.port, 0);
    /** Each connection reads its own writes, wherever it reads. */
    const mayLag = (command: string): boolean =>
      reads.has(command) &&
      !inTransaction &&
      !expected.some((one) => one.writes) &&
      performance.now() - wroteAt > service.readsLagMs * 2 + LATE_MS;

    onEachValue(client, (request) => {
      const words = wordsOf(request);
      const [command = '', subcommand = ''] = words.map((word) => word.toUpperCase());
      if (command === 'CLIENT' && subcommand === 'SETNAME') name = words[2] ?? '';
      const naming = command === 'HELLO' ? words.findIndex((word) => /^setname$/i.test(word)) : -1;
      if (naming !== -1) name = words[naming + 1] ?? '';
      count(name, command);
      awaited += request.length;
      const own = ownReply(command, subcommand, awaited);
      let from = primary;
      if (command === 'EXEC' || command === 'DISCARD') inTransaction = false;
      if (own === undefined) {
        if (command === 'MULTI') inTransaction = true;
        if (setsUp.has(command)) setUp.push(request);
        if (replica !== undefined && service.readsLagMs > 0 && mayLag(command)) {
          if (toReplica === undefined) {
            toReplica = connectTo(replica.server.port, setUp.length);
            for (const piece of setUp) toReplica.write(piece);
          }
          from = toReplica;
        }
      }
      if (own?.startsWith('-') === true) refused += 1;
      // As real servers do, a refused EXEC ends the transaction.
      from.write(own === undefined ? request : command === 'EXEC' ? discard : failing);
      const rewrite = (reply: Buffer): Buffer =>
        own === undefined ? serverReply(command, reply) : Buffer.from(`${own}\r\n`);
      expected.push({ from, writes: writes.has(command), bytes: request.length, rewrite });
    });
  };

  const listener = createServer((client) => {
    client.on('error', () => undefined);
    client.setNoDelay(true);
    const { connections } = service;
    if (connections !== null && open.size >= connections.limit) {
      refused += 1;
      client.resume();
      if (connections.error === null) client.destroy();
      else client.end(`-${connections.error}\r\n`);
      return;
    }
    open.add(client);
    opened += 1;
    most = Math.max(most, open.size);
    client.once('close', () => open.delete(client));
    client.setTimeout(service.idleMs);
    client.on('timeout', () => client.destroy());
    serve(client);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const line = await startFaultProxy((listener.address() as AddressInfo).port);
  const configure = async (change: Partial<ManagedService>): Promise<void> => {
    const before = service;
    const next = { ...before, ...change };
    if (next.readsLagMs > 0) {
      replica ??= await startReplica(server);
      replica.link.set({ kind: 'delay', ms: next.readsLagMs });
    }
    if ((next.full === null) !== (before.full === null))
      await server.client.config('SET', 'maxmemory', next.full === null ? 0 : 1);
    service = { ...next, quota: next.quota === null ? null : { ...next.quota } };
    for (const client of open) client.setTimeout(service.idleMs);
    if (service.latencyMs !== before.latencyMs)
      line.set(service.latencyMs > 0 ? { kind: 'delay', ms: service.latencyMs } : { kind: 'pass' });
  };
  await configure(first);
  const url = `redis://127.0.0.1:${String(line.port)}`;
  return {
    url,
    env: { REDIS_URL: url },
    server,
    client: server.client,
    line,
    configure,
    counts: () =>
      Object.fromEntries([...tally].map(([name, commands]) => [name, Object.fromEntries(commands)])),
    commands: () =>
      [...tally.values()].flatMap((commands) => [...commands.values()]).reduce((a, b) => a + b, 0),
    refused: () => refused,
    resetCounts: () => {
      tally = new Map();
      refused = 0;
      most = open.size;
      opened = 0;
    },
    connections: () => ({ open: open.size, most, opened }),
    wipe: () => server.wipe(),
    close: async () => {
      const closed = once(listener, 'close');
      listener.close();
      for (const client of open) client.destroy();
      await Promise.all([closed, line.close(), server.close()]);
      await replica?.link.close();
      await replica?.server.close();
    },
  };
}

/** A replica that learns of everything late, and is in step when this resolves. */
async function startReplica(primary: RedisSandbox): Promise<{ server: RedisSandbox; link: FaultProxy }> {
  await primary.client.config('SET', 'repl-diskless-sync-delay', 0);
  const link = await startFaultProxy(primary.port);
  const server = await startRedisSandbox(['--replicaof', '127.0.0.1', String(link.port)]);
  await eventually('replication', async () =>
    (await server.client.info('replication')).includes('master_link_status:up'),
  );
  return { server, link };
}

/** What the server says of its commands: those that only read and never wait, and those that may write. */
async function commandKinds({ client }: RedisSandbox): Promise<{ reads: Set<string>; writes: Set<string> }> {
  const reads = new Set<string>();
  const writes = new Set(['EVAL', 'EVALSHA', 'FCALL', 'EXEC']);
  const commands = (await client.call('COMMAND')) as [string, number, Iterable<string>][];
  for (const [name, , list] of commands) {
    const flags = new Set(list);
    if (flags.has('write')) writes.add(name.toUpperCase());
    if (flags.has('readonly') && !flags.has('blocking')) reads.add(name.toUpperCase());
  }
  return { reads, writes };
}

/** Hands each whole value of the protocol to `take`, as the bytes that it came in. */
function onEachValue(socket: Socket, take: (value: Buffer) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = endOfValue(rest, 0); end !== -1; end = endOfValue(rest, 0)) {
      take(rest.subarray(0, end));
      rest = rest.subarray(end);
    }
  });
}

/** Where the value that begins at `from` ends; -1 while a part of it is missing. */
function endOfValue(data: Buffer, from: number): number {
  const line = data.indexOf('\r\n', from);
  if (line === -1) return -1;
  const type = String.fromCharCode(data[from] ?? 0);
  const size = Math.max(Number(data.toString('latin1', from + 1, line)), 0);
  let end = line + 2;
  if ('$=!'.includes(type)) {
    if (data[from + 1] !== 0x2d) end += size + 2;
    return end <= data.length ? end : -1;
  }
  const parts = '*~>'.includes(type) ? size : '%|'.includes(type) ? 2 * size + (type === '|' ? 1 : 0) : 0;
  for (let part = 0; part < parts && end !== -1; part += 1) end = endOfValue(data, end);
  return end;
}

const isPush = (value: Buffer): boolean => value[0] === 0x3e;

/** The first words of a command; no option that matters here comes later. */
function wordsOf(request: Buffer): string[] {
  const words: string[] = [];
  let at = request.indexOf('\r\n') + 2;
  while (at < request.length && words.length < 8) {
    const start = request.indexOf('\r\n', at) + 2;
    const length = Number(request.toString('latin1', at + 1, start - 2));
    words.push(request.toString('utf8', start, start + length));
    at = start + length + 2;
  }
  return words;
}

/** Texts are `$<bytes>`, or `=<bytes>` with a format before the text. */
function rewriteText(reply: Buffer, rewrite: (text: string) => string): Buffer {
  const type = String.fromCharCode(reply[0] ?? 0);
  if (!'$='.includes(type)) return reply;
  const start = reply.indexOf('\r\n') + 2 + (type === '=' ? 4 : 0);
  const text = rewrite(reply.toString('utf8', start, reply.length - 2));
  const format = type === '=' ? 'txt:' : '';
  return Buffer.from(`${type}${String(Buffer.byteLength(text) + format.length)}\r\n${format}${text}\r\n`);
}

/** The real server runs out of memory; clients read that in the words of the service. */
function spellOutOfMemory(reply: Buffer, error: string): Buffer {
  const mayTell = reply[0] === 0x2d || reply[0] === 0x2a;
  return mayTell && reply.includes(OUT_OF_MEMORY)
    ? Buffer.from(reply.toString('latin1').replaceAll(OUT_OF_MEMORY, error), 'latin1')
    : reply;
}
