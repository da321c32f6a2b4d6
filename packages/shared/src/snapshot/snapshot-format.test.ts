import { hash, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { decodeRecord } from '../catalog/index.js';
import {
  decodeLine,
  encodeManifest,
  encodeRecord,
  encodeTombstone,
  groupFiles,
  manifestName,
  partName,
  readManifest,
  readPart,
  snapshotPrefix,
  writeParts,
  type SnapshotLine,
} from './snapshot-format.js';

const id = '01K00000000000000000000000';

/** As version 1 wrote it: when this fails, the version has to grow, or older snapshots are misread. */
const line =
  `r\t${id}\ts\t1\t` +
  '[2,"i",1767225600000,"nature",["sea","sun"],"=qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo"]\u001f["holdfast/\u007f",' +
  '"=u7u7u7u7u7u7u7u7u7u7uw","png",1234,10,20,-1,"https://host/\u007f.png","=zMzMzMzMzMzMzMzMzMzMzA","a.png","A","long","web","u",1767225601000,7]';

async function* chunksOf(lines: readonly string[], size: number): AsyncGenerator<string[]> {
  for (let start = 0; start < lines.length; start += size)
    yield await Promise.resolve(lines.slice(start, start + size));
}

/** A part, and the hash that its manifest has of it. */
interface SnapshotPart {
  body: Buffer;
  sha256: string;
}

async function partsOf(lines: readonly string[], partBytes: number): Promise<SnapshotPart[]> {
  const parts: SnapshotPart[] = [];
  for await (const body of writeParts(chunksOf(lines, 100), partBytes))
    parts.push({ body, sha256: hash('sha256', body) });
  return parts;
}

async function linesOf({ body, sha256 }: SnapshotPart): Promise<SnapshotLine[]> {
  const lines: SnapshotLine[] = [];
  for await (const batch of readPart(body, { bytes: body.length, sha256 })) lines.push(...batch);
  return lines;
}

const damaged = (): Error => expect.objectContaining({ why: 'damaged' }) as Error;

describe('the parts of a snapshot', () => {
  it('give back every line in order, each part on its own', async () => {
    const rows = Array.from({ length: 3_000 }, (_, n) => ({
      id: `${String(n)} ü ${randomBytes(60).toString('base64')}`,
      deletedMs: n,
    }));
    const lines = rows.map(({ id: deleted, deletedMs }) => encodeTombstone(deleted, String(deletedMs)));
    const parts = await partsOf(lines, 50_000);
    expect(parts.length).toBeGreaterThan(2);
    for (const { body } of parts) expect(body.length).toBeLessThan(50_000 + 100_000);
    const back = await Promise.all(parts.map(linesOf));
    expect(back.flat()).toEqual(rows.map((row) => ({ kind: 'tombstone', ...row })));
  });

  it('are none where there are no lines', async () => {
    expect(await partsOf([], 1_000)).toEqual([]);
  });

  it.each([
    ['their end is missing', (part: SnapshotPart) => ({ body: part.body.subarray(0, -4) })],
    ['they are other bytes', ({ sha256 }: SnapshotPart) => ({ sha256: sha256.replaceAll(/./g, 'a') })],
  ])('are refused when %s', async (_case, change) => {
    const [part] = await partsOf([encodeTombstone(id, '1'), line], 1_000);
    if (part === undefined) throw new Error('no part');
    await expect(linesOf(part)).resolves.toHaveLength(2);
    const { body, sha256 } = { ...part, ...change(part) };
    const manifested = { ...part, body, sha256: body === part.body ? sha256 : hash('sha256', body) };
    await expect(linesOf(manifested)).rejects.toEqual(damaged());
  });

  it('are refused when the host does not have them', async () => {
    await expect(readPart(null, { bytes: 1, sha256: '' }).next()).rejects.toEqual(damaged());
  });
});

describe('a line', () => {
  it('of version 1 is still read as it was meant', () => {
    const decoded = decodeLine(line);
    if (decoded.kind !== 'record') throw new Error('not a record');
    const measured = JSON.stringify(['s', 0, 0, 0, 0, decoded.pushedRevision, 0]);
    expect(decodeRecord(decoded.id, `${measured}\n${decoded.content}`)?.record).toMatchObject({
      id,
      status: 'saving',
      publicId: `holdfast/${id}`,
      assetId: 'bb'.repeat(16),
      resourceType: 'image',
      url: `https://host/holdfast/${id}.png`,
      checksum: { sha256: 'aa'.repeat(32), md5: 'cc'.repeat(16) },
      tags: ['sea', 'sun'],
      createdAt: '2026-01-01T00:00:00.000Z',
      updatedAt: '2026-01-01T00:00:01.000Z',
      revision: 2,
      pushedRevision: 1,
      hostVersion: 7,
    });
  });

  it.each([
    ['v', 'saving'],
    ['f', 'saving'],
    ['m', 'missing'],
    ['x', 'deleting'],
  ])('keeps of the status %s what is not measured anew: %s', (code, status) => {
    const content = line.split('\t')[4] ?? '';
    const stored = decodeRecord(id, `["${code}",5,"f",1,1,2,0]\n${content}`);
    if (stored === null) throw new Error('not stored');
    expect(decodeLine(encodeRecord(stored))).toEqual({
      kind: 'record',
      id,
      status,
      pushedRevision: 2,
      content,
      revision: 2,
    });
  });

  it('tells a deletion', () => {
    expect(decodeLine(encodeTombstone(id, '1767225600000'))).toEqual({
      kind: 'tombstone',
      id,
      deletedMs: 1_767_225_600_000,
    });
  });

  it.each(['', 'x\ta\ts\t1\t[]', 'r\ta\tq\t1\t[]', 'r\ta\ts\t-\t[]', 'r\ta\ts\t1\t', 't\ta\tsoon', 't\t\t1'])(
    'is refused as %j',
    (text) => {
      expect(() => decodeLine(text)).toThrow(/cannot be read|JSON/);
    },
  );
});

describe('a manifest', () => {
  const manifest = {
    id,
    folder: 'holdfast',
    at: '2026-01-01T00:00:00.000Z',
    records: 2,
    tombstones: 1,
    parts: [{ bytes: 10, sha256: 'ab'.repeat(32) }],
  };
  const changed = (change: (body: Record<string, unknown>) => void): Buffer => {
    const body = JSON.parse(encodeManifest(manifest).toString()) as Record<string, unknown>;
    change(body);
    return Buffer.from(JSON.stringify(body));
  };

  it('is read as it was written', () => {
    expect(readManifest(encodeManifest(manifest))).toMatchObject(manifest);
  });

  it('of a newer version is distinguished from a damaged one', () => {
    const newer = changed((body) => Object.assign(body, { version: 2, parts: 'elsewhere' }));
    expect(() => readManifest(newer)).toThrow(expect.objectContaining({ why: 'newer' }) as Error);
  });

  it.each([
    ['a number was changed', changed((body) => Object.assign(body, { records: 3 }))],
    ['its hash is gone', changed((body) => delete body['sha256'])],
    ['it is gone', null],
    ['it is cut', encodeManifest(manifest).subarray(0, 50)],
    ['it is something else', Buffer.from('{"version":1}')],
    ['its time is invalid, though its hash is right', encodeManifest({ ...manifest, at: 'yesterday' })],
    ['a count is invalid, though its hash is right', encodeManifest({ ...manifest, records: -1 })],
  ])('is refused when %s', (_case, bytes) => {
    expect(() => readManifest(bytes)).toThrow(damaged());
  });
});

const file = (name: string) => ({ name, bytes: 1, storedAt: '2026-01-01T00:00:00.000Z' });

it('names the files of a deployment apart from those of others, the newest first', () => {
  const newer = '01K00000000000000000000001';
  const files = [
    manifestName('a', id),
    partName('a', id, 1),
    partName('a', newer, 1),
    manifestName('a/b', id),
    manifestName('ab', id),
    `${snapshotPrefix('a')}${id}.deletions-2`,
    `${snapshotPrefix('a')}${id}.deleted`,
    `${snapshotPrefix('a')}notes.txt`,
  ].map(file);
  expect(groupFiles('a', files)).toEqual([
    { id: newer, manifest: null, parts: [file(partName('a', newer, 1))] },
    { id, manifest: file(manifestName('a', id)), parts: [file(partName('a', id, 1))] },
  ]);
});
