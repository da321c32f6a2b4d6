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

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** The page itself; with a parameter `file` in its path a script or a style sheet of it. */
export function servePage({ files, contentPolicy }: Page) {
  const made = new Map<string, ReturnType<typeof fixed>>();
  return async ({ params, accepts }: Pick<Input<string>, 'params' | 'accepts'>): Promise<Answer> => {
    const file = params['file'] ?? 'index.html';
    const path = Object.hasOwn(files, file) ? files[file] : undefined;
    if (path === undefined) throw new HoldfastError('NOT_FOUND');
    const type = types[extname(path)] ?? 'application/octet-stream';
    const headers = { 'Content-Type': type, 'Content-Security-Policy': contentPolicy };
    const answer = made.get(path) ?? readFile(path).then((bytes) => fixed(bytes, headers));
    made.set(path, answer);
    return (await answer)(accepts);
  };
}

/** JSON that stays the same while the process runs, made when it is first asked for. */
export function serveFixed(make: () => string) {
  let answer: ReturnType<typeof fixed> | undefined;
  return async ({ accepts }: Input): Promise<Answer> => {
    answer ??= fixed(Buffer.from(make()), { 'Content-Type': 'application/json; charset=utf-8' });
    return (await answer)(accepts);
  };
}

/** The answer that a client takes, plain or compressed. Both are made once: all clients share their memory. */
async function fixed(bytes: Buffer, headers: Answer['headers']) {
  const tag = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  // Asked for again each time, so that a page never meets scripts of another version.
  const all = { ...headers, 'Cache-Control': 'no-cache', Vary: 'Accept-Encoding' };
  const compressed = await promisify(gzip)(bytes, { level: 9 });
  const plain = { status: 200, body: bytes, headers: { ...all, ETag: `"${tag}"` } };
  const ofGzip = { ...all, ETag: `"${tag}-gzip"`, 'Content-Encoding': 'gzip' };
  const gzipped = { status: 200, body: compressed, headers: ofGzip };
  return (accepts: Input['accepts']) => (accepts('gzip') ? gzipped : plain);
}
