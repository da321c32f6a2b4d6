import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '@holdfast/foundation/errors';
import type { Answer, Input } from '../http/route.js';
import { answerFixed, fixedBody, type FixedBody } from '../http/fixed-body.js';

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

async function sendFile(
  { files, contentPolicy }: Page,
  name: string,
  input: Pick<Input, 'header' | 'accepts'>,
): Promise<Answer> {
  const path = Object.hasOwn(files, name) ? files[name] : undefined;
  if (path === undefined) throw new HoldfastError('NOT_FOUND');
  const body = bodies.get(path) ?? readFile(path).then(fixedBody);
  bodies.set(path, body);
  return answerFixed(await body, input, {
    'Content-Type': types[extname(path)] ?? 'application/octet-stream',
    'Content-Security-Policy': contentPolicy,
  });
}
