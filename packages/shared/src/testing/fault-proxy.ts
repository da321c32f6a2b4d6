import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { pipeline, Transform, type TransformCallback } from 'node:stream';

/**
 * What a link does with its connections. `delay`: everything arrives `ms` later, each way; what is under way when the mode
 * changes arrives at once. `drop-replies`: the other side gets everything and does it, but its answers vanish; such
 * connections are reset when the link is whole again. `lose-reply`: so does only the nth answer from now, from 1, and its
 * connection is reset at once. `strand`: the connections that are open now carry nothing any more, without a sign, for ever;
 * those that come pass.
 */
export type LinkMode =
  | { kind: 'pass' }
  | { kind: 'refuse' }
  | { kind: 'delay'; ms: number }
  | { kind: 'drop-replies' }
  | { kind: 'lose-reply'; nth: number }
  | { kind: 'strand' };

export interface FaultProxyOptions {
  /** Sees each piece that a client sends; the piece continues once it resolves. Must not reject. */
  beforeRequest?: (piece: Buffer) => Promise<void>;
}

/** A TCP link between a process and what it talks to, that can be disturbed. */
export interface FaultProxy {
  port: number;
  /** Connections that are open now. */
  size(): number;
  /** Bytes of replies dropped so far. */
  dropped(): number;
  /** Chunks that are delayed now. */
  late(): number;
  set(mode: LinkMode): void;
  /** Resets every connection; the number of them. */
  cut(): number;
  close(): Promise<void>;
}

interface Link {
  ends: readonly Socket[];
  lostReplies: boolean;
  stranded: boolean;
}

/**
 * A link from a free port to `targetPort`, both on the loopback address. It passes everything on until `set`
 * says otherwise; each connection to it makes one to the target. The caller closes it.
 */
export async function startFaultProxy(
  targetPort: number,
  { beforeRequest }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  const links = new Set<Link>();
  /** What is under way, oldest first. */
  const late = new Set<{ timer: NodeJS.Timeout; arrive: () => void }>();
  let mode: LinkMode = { kind: 'pass' };
  let dropped = 0;
  let replies = 0;

  const reset = (link: Link): void => {
    for (const end of link.ends) end.resetAndDestroy();
  };
  /** Not one chunk after the other: a line with a delay carries as much as one without. */
  const delay = (ms: number, deliver: () => void): void => {
    const entry = {
      arrive: () => {
        clearTimeout(entry.timer);
        late.delete(entry);
        deliver();
      },
      timer: setTimeout(() => entry.arrive(), ms),
    };
    late.add(entry);
  };
  const carry = (link: Link, isReply: boolean): Transform =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (link.stranded) {
          done();
          return;
        }
        if (mode.kind === 'drop-replies' && isReply) {
          link.lostReplies = true;
          dropped += chunk.length;
        } else if (mode.kind === 'lose-reply' && isReply && ++replies === mode.nth) {
          dropped += chunk.length;
          reset(link);
        } else if (beforeRequest !== undefined && !isReply) {
          void shown(beforeRequest, chunk, done);
          return;
        } else if (mode.kind === 'delay') {
          delay(mode.ms, () => {
            if (!this.destroyed) this.push(chunk);
          });
        } else {
          this.push(chunk);
        }
        done();
      },
      flush(done) {
        if (mode.kind === 'delay') delay(mode.ms, () => done());
        else done();
      },
    });
  const server = createServer({ allowHalfOpen: true }, (client) => {
    // Without a listener, a reset that comes before the pipelines stand would end the run.
    client.on('error', () => undefined);
    if (mode.kind === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const target = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    target.on('error', () => undefined);
    target.setNoDelay(true);
    client.setNoDelay(true);
    const link: Link = { ends: [client, target], lostReplies: false, stranded: false };
    links.add(link);
    const over = (): void => {
      if (client.destroyed || target.destroyed) {
        client.destroy();
        target.destroy();
        links.delete(link);
      }
    };
    client.once('close', over);
    target.once('close', over);
    pipeline(client, carry(link, false), target, over);
    pipeline(target, carry(link, true), client, over);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): number => {
    const open = [...links];
    for (const link of open) reset(link);
    return open.length;
  };
  return {
    port: (server.address() as AddressInfo).port,
    size: () => links.size,
    dropped: () => dropped,
    late: () => late.size,
    set: (next) => {
      mode = next;
      replies = 0;
      for (const { arrive } of late) arrive();
      if (next.kind === 'refuse') cut();
      if (next.kind === 'strand') for (const link of links) link.stranded = true;
      if (next.kind !== 'drop-replies') for (const link of links) if (link.lostReplies) reset(link);
    },
    cut,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const { arrive } of late) arrive();
      cut();
      await closed;
    },
  };
}

async function shown(
  beforeRequest: (piece: Buffer) => Promise<void>,
  piece: Buffer,
  done: TransformCallback,
): Promise<void> {
  await beforeRequest(piece);
  done(null, piece);
}
