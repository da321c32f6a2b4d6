import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Answer, Input } from '../http/route.js';
import { hasTag } from '../http/request-input.js';

const policy = (pictures: string): string =>
  `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' ${pictures}; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** A page and what belongs to it: a closed list of files, read once and sent as they are. */
export interface Page {
  /** Paths of files by the name in the URL. `index.html` is the page itself. */
  files: Readonly<Record<string, string>>;
  contentPolicy: string;
}

const own = (file: string): string => fileURLToPath(new URL(`../../pages/${file}`, import.meta.url));
const swagger = (file: string): string => createRequire(import.meta.url).resolve(`swagger-ui-dist/${file}`);

/** The console. Pictures may come from Cloudinary or a domain of one's own for it; everything else is ours, nothing inline. */
export const consolePage: Page = {
  files: Object.fromEntries(readdirSync(own('console')).map((file) => [file, own(`console/${file}`)])),
  contentPolicy: policy('blob: data: https:'),
};

/** Swagger UI over /openapi.json; its small pictures are data in its own style sheet. */
export const docsPage: Page = {
  files: {
    'index.html': own('docs/index.html'),
    'docs.js': own('docs/docs.js'),
    'swagger-ui.css': swagger('swagger-ui.css'),
    'swagger-ui-bundle.js': swagger('swagger-ui-bundle.js'),
  },
  contentPolicy: policy('data:'),
};

/** The page itself. */
export const servePage = (page: Page) => (input: Input) => sendFile(page, 'index.html', input);

/** A script or a style sheet of the page, by the parameter `file` of its path. */
export const servePageFile = (page: Page) => (input: Input<'file'>) =>
  sendFile(page, input.params.file, input);

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

const bodies = new Map<string, Promise<FixedBody>>();

async function sendFile({ files, contentPolicy }: Page, name: string, input: Asked): Promise<Answer> {
  const path = Object.hasOwn(files, name) ? files[name] : undefined;
  if (path === undefined) throw new HoldfastError('NOT_FOUND');
  const body = bodies.get(path) ?? readFile(path).then(fixedBody);
  bodies.set(path, body);
  return answerFixed(await body, input, {
    'Content-Type': types[extname(path)] ?? 'application/octet-stream',
    'Content-Security-Policy': contentPolicy,
  });
}

/** JSON that stays the same while the process runs, made when it is first asked for. */
export function serveFixed(make: () => string) {
  let body: Promise<FixedBody> | undefined;
  return async (input: Input): Promise<Answer> =>
    answerFixed(await (body ??= fixedBody(Buffer.from(make()))), input, {
      'Content-Type': 'application/json; charset=utf-8',
    });
}

interface Variant {
  bytes: Buffer;
  tag: string;
  headers: Readonly<Record<string, string>>;
}

/** Plain and compressed once: all answers share its memory. */
type FixedBody = Readonly<Record<'plain' | 'gzipped', Variant>>;

async function fixedBody(bytes: Buffer): Promise<FixedBody> {
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  const compressed = await promisify(gzip)(bytes, { level: 9 });
  return {
    plain: { bytes, tag: `"${hash}"`, headers: {} },
    gzipped: { bytes: compressed, tag: `"${hash}-gzip"`, headers: { 'Content-Encoding': 'gzip' } },
  };
}

type Asked = Pick<Input, 'header' | 'accepts'>;

/** The whole answer to a GET, or 304 where the client has it. */
function answerFixed(body: FixedBody, { header, accepts }: Asked, headers: Answer['headers']): Answer {
  const { bytes, tag, headers: ofVariant } = accepts('gzip') ? body.gzipped : body.plain;
  // Asked for again each time, so that a page never meets scripts of another version.
  const all = { ...headers, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding', ETag: tag };
  return hasTag(header('if-none-match'), tag)
    ? { status: 304, headers: all }
    : { status: 200, text: bytes, headers: { ...all, ...ofVariant } };
}
