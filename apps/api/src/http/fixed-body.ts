import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { hasTag } from './request-input.js';
import type { Answer } from './route.js';

interface Variant {
  bytes: Buffer;
  tag: string;
  headers: Readonly<Record<string, string>>;
}

/** What stays the same while the process runs, plain and compressed: all answers share its memory. */
export interface FixedBody {
  plain: Variant;
  gzipped: Variant;
}

export async function fixedBody(bytes: Buffer): Promise<FixedBody> {
  const print = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  return {
    plain: { bytes, tag: `"${print}"`, headers: {} },
    gzipped: {
      bytes: await promisify(gzip)(bytes, { level: 9 }),
      tag: `"${print}-gzip"`,
      headers: { 'Content-Encoding': 'gzip' },
    },
  };
}

/** The whole answer to a GET, or 304 where the client has it. */
export function answerFixed(
  body: FixedBody,
  {
    header,
    accepts,
  }: { header: (name: string) => string | undefined; accepts: (encoding: string) => boolean },
  headers: Readonly<Record<string, string>>,
): Answer {
  const { bytes, tag, headers: ofVariant } = accepts('gzip') ? body.gzipped : body.plain;
  // Asked for again each time, so that a page never meets scripts of another version.
  const all = { ...headers, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding', ETag: tag };
  return hasTag(header('if-none-match'), tag)
    ? { status: 304, headers: all }
    : { status: 200, text: bytes, headers: { ...all, ...ofVariant } };
}
