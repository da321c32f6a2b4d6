import { setInterval as every, setTimeout as pause } from 'node:timers/promises';
import { formHead, formTail, textPart, type Attacker } from './attacker.js';

export interface Attack {
  name: string;
  /** What its key may do; null: it has none. */
  role: 'read' | 'write' | 'admin' | null;
  /** The media host that the deployment stands on. */
  host: 'cloudinary' | 'local';
  /** Begins, and may go on until its process ends. */
  start(attacker: Attacker): Promise<void>;
}

/** Category of the 1,000 records that hold the same bytes and 5 kB of text each. */
export const COPIES = 'copies';

const BUNDLE = '/docs/swagger-ui-bundle.js';
const NOTHING = 'POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n';

const attack = (
  role: Attack['role'],
  name: string,
  start: Attack['start'],
  host: Attack['host'] = 'cloudinary',
): Attack => ({ role, name, host, start });

/** Every attack there is. Each is one client with the documented rights of its key. */
export const attacks: readonly Attack[] = [
  attack(null, '1,000 requests for a script, never read', (a) => neverRead(a, BUNDLE, 1, 1_000)),
  attack(null, '100 connections with 50 requests each for a script, never read', (a) =>
    neverRead(a, BUNDLE, 100, 50),
  ),
  attack(null, '1,000 requests for /openapi.json, never read', (a) =>
    neverRead(a, '/openapi.json', 1, 1_000),
  ),
  attack(null, '1,000 requests for /openapi.json at once, again and again', (a) =>
    a.pipelineForever(a.get('/openapi.json', { 'Accept-Encoding': 'gzip' }).repeat(1_000), 1_000),
  ),
  attack(null, '1,000 requests for health at once, again and again', (a) =>
    a.pipelineForever(a.get('/api/media/health').repeat(1_000), 1_000),
  ),
  attack(null, 'health and a refused POST in turns, 1,000 at once', (a) =>
    a.pipelineForever(`${a.get('/api/media/health')}${NOTHING}`.repeat(500), 1_000),
  ),
  attack(null, '/readyz and a refused POST in turns, 1,000 at once', (a) =>
    a.pipelineForever(`${a.get('/readyz')}${NOTHING}`.repeat(500), 1_000),
  ),
  attack(null, '1,000 requests with an unknown key at once, again and again', (a) =>
    a.pipelineForever(a.get('/api/media', { 'X-API-Key': 'no-key-of-ours' }).repeat(1_000), 1_000),
  ),
  ...['/livez', '/readyz', '/openapi.json', '/nothing', '/docs/swagger-ui-bundle.js'].map((path) =>
    attack(null, `64 connections that ask for ${path} without a pause`, (a) =>
      a.askWithoutPause(a.get(path, { 'Accept-Encoding': 'gzip' }), 64),
    ),
  ),
  attack(null, '64 connections with an unknown key without a pause', (a) =>
    a.askWithoutPause(a.get('/api/media', { 'X-API-Key': 'no-key-of-ours' }), 64),
  ),
  attack(null, '64 connections with malformed requests without a pause', (a) =>
    a.askWithoutPause('hello\r\n\r\n', 64),
  ),
  attack(null, '64 lanes that open a connection for each request', (a) =>
    a.askWithoutPause(a.get('/livez', { Connection: 'close' }), 64),
  ),
  attack(null, '1,000 requests with 15 kB of headers each at once, again and again', (a) =>
    a.pipelineForever(a.get('/livez', { 'X-Long': 'x'.repeat(15_000) }).repeat(1_000), 1_000),
  ),
  attack(null, '3,000 connections whose headers do not end', async (a) => {
    for (let n = 0; n < 3_000; n += 1)
      (await a.open()).write(`GET /livez HTTP/1.1\r\nHost: localhost\r\n${'A: b\r\n'.repeat(1_500)}`);
  }),
  attack(null, '5,000 connections that send nothing', async (a) => {
    for (let n = 0; n < 5_000; n += 1) await a.open();
  }),
  attack(null, '400 unsigned notifications of 1 MB that do not end', (a) =>
    unendingNotifications(a, 400, 999_999),
  ),
  attack(null, '4,000 unsigned notifications of 65 kB that do not end', (a) =>
    unendingNotifications(a, 4_000, 65_000),
  ),

  attack('read', '1,000 requests for a list, never read', (a) =>
    neverRead(a, `/api/media?limit=100&category=${COPIES}`, 1, 1_000),
  ),
  attack('read', '200 requests for the drift report as ndjson, never read, on 10 connections', (a) =>
    neverRead(a, '/api/media/sync/drift?format=ndjson', 10, 20),
  ),
  attack('read', 'lists of 100 without a pause, 20 connections', (a) =>
    a.askForever(['/api/media?limit=100'], 20),
  ),
  attack('read', 'lists of one of 1,000 copies without a pause, 20 connections', async (a) => {
    const { items } = (await a.json(`/api/media?limit=1&category=${COPIES}`)) as Items;
    await a.askForever([`/api/media?limit=1&sha256=${items[0]?.checksum.sha256 ?? ''}`], 20);
  }),
  attack('read', 'lists with filters that fit nothing among 100,000 records, 20 connections', (a) =>
    // Records of category-3 are images, and every tag is on 6,000 of them.
    a.askForever(
      ['category=category-3&type=video', 'category=category-3&tag=tag-4&type=image&status=missing'].map(
        (filters) => `/api/media?limit=100&${filters}`,
      ),
      20,
    ),
  ),
  attack('read', '300 status answers and metrics at once, again and again', (a) =>
    a.pipelineForever(
      ['/metrics', '/api/media/database/status', '/api/media/sync/status']
        .map((path) => a.get(path))
        .join('')
        .repeat(100),
      300,
    ),
  ),
  attack('read', '1,000 event streams of one record', (a) => streams(a, 1_000, 1)),
  attack('read', '990 event streams of records of 5 kB', (a) => streams(a, 990, 900)),
  attack(
    'read',
    '1,500 connections with 30 requests each for a file of 100 KB, never read',
    async (a) => {
      // The newest is one of those that the clients beside it upload.
      const { items } = (await a.json('/api/media?limit=1')) as Items;
      await neverRead(a, new URL(items[0]?.url ?? '').pathname, 1_500, 30, { Range: 'bytes=0-' });
    },
    'local',
  ),

  attack('write', '128 uploads that send a byte a second', async (a) => {
    const slow = await Promise.all(
      Array.from({ length: 128 }, async () => {
        const socket = await a.open();
        socket.write(a.uploadHead(100_000));
        socket.write(formHead);
        return socket;
      }),
    );
    for await (const _ of every(1_000)) for (const socket of slow) socket.write('x');
  }),
  attack('write', '3,000 uploads with one Idempotency-Key, the first of which crawls', async (a) => {
    const head = a.uploadHead(100_000, { 'Idempotency-Key': 'one' });
    const first = await a.open();
    first.write(head);
    first.write(formHead);
    for (let n = 0; n < 3_000; n += 1) (await a.open()).write(head);
    for await (const _ of every(500)) first.write('x'.repeat(2_000));
  }),
  attack('write', '120 forms with 6 MB of text parts each', async (a) => {
    const parts = Buffer.concat(Array.from({ length: 99 }, (_, n) => textPart(`f${String(n)}`, 63_900)));
    for (let n = 0; n < 120; n += 1) {
      const socket = await a.open();
      socket.write(a.uploadHead(90_000_000));
      socket.write(parts);
      socket.write(formHead);
    }
  }),
  attack('write', 'one upload in chunks of one byte', async (a) => {
    const chunk = (bytes: Buffer): Buffer =>
      Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
    const tiny = Buffer.from('1\r\nx\r\n'.repeat(20_000));
    for (;;) {
      const socket = await a.open();
      socket.write(a.uploadHead(null));
      socket.write(chunk(formHead));
      while (!socket.destroyed) {
        socket.write(tiny);
        while (!socket.destroyed && socket.writableLength > 0) await pause(5);
      }
    }
  }),
  attack('write', 'uploads of 200 bytes without a pause, each waited for with Prefer: wait', async (a) => {
    const body = Buffer.concat([formHead, Buffer.alloc(190, 'x'), formTail]);
    const head = a.uploadHead(body.length, { Prefer: 'wait=60', Connection: 'close' });
    const lane = async (): Promise<void> => {
      for (;;) {
        const socket = await a.open();
        socket.write(head);
        socket.write(body);
        await pause(5);
      }
    };
    await Promise.all(Array.from({ length: 4 }, lane));
  }),

  attack('admin', "Bull Board's longest pages, 8 connections", (a) =>
    a.askForever(
      ['/admin/queues/api/queues?activeQueue=verify&status=completed&page=1&jobsPerPage=100000'],
      8,
    ),
  ),
];

interface Items {
  items: { id: string; url: string; checksum: { sha256: string } }[];
  nextCursor: string | null;
}

async function neverRead(
  attacker: Attacker,
  path: string,
  connections: number,
  requests: number,
  headers: Record<string, string> = {},
): Promise<void> {
  const text = attacker.get(path, headers).repeat(requests);
  for (let n = 0; n < connections; n += 1) (await attacker.open('never reads')).write(text);
}

async function unendingNotifications(attacker: Attacker, count: number, bytes: number): Promise<void> {
  const head = [
    'POST /api/media/webhooks/cloudinary HTTP/1.1',
    'Host: localhost',
    `X-Cld-Timestamp: ${String(Math.floor(Date.now() / 1_000))}`,
    `X-Cld-Signature: ${'a'.repeat(40)}`,
    `Content-Length: ${String(bytes)}`,
  ];
  const body = Buffer.alloc(bytes - 1, ' ');
  for (let n = 0; n < count; n += 1) {
    const socket = await attacker.open();
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    socket.write(body);
  }
}

async function streams(attacker: Attacker, count: number, records: number): Promise<void> {
  const ids: string[] = [];
  let path = `/api/media?limit=${String(Math.min(100, records))}&category=${COPIES}`;
  for (let cursor: string | null = ''; cursor !== null && ids.length < records;) {
    const page = (await attacker.json(cursor === '' ? path : `${path}&cursor=${cursor}`)) as Items;
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor;
  }
  for (let n = 0; n < count; n += 1)
    (await attacker.open()).write(attacker.get(`/api/media/${ids[n % ids.length] ?? ''}/events`));
}
