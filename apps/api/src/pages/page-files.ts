import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { HoldfastError } from '@holdfast/shared/errors';
import { endpoint, type Endpoint } from '../http/endpoint.js';
import { hasTag } from '../http/entity-tag.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** A page and what belongs to it: a closed list of files, sent as they are. */
export interface PageFiles {
  /** Paths of files by the name that they are asked for. `index.html` is the page itself. */
  files: Readonly<Record<string, string>>;
  contentPolicy: string;
}

/** The page itself. */
export const servePage = (page: PageFiles): Endpoint =>
  endpoint({ handle: ({ header }) => answer(page, 'index.html', header('if-none-match')) });

/** What belongs to a page, by the parameter `file` of its path. */
export const servePageFile = (page: PageFiles): Endpoint =>
  endpoint({ handle: ({ params, header }) => answer(page, params['file'] ?? '', header('if-none-match')) });

async function answer({ files, contentPolicy }: PageFiles, name: string, known: string | undefined) {
  const path = Object.hasOwn(files, name) ? files[name] : undefined;
  if (path === undefined) throw new HoldfastError('NOT_FOUND');
  const text = await readFile(path);
  const tag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const headers = {
    'Content-Type': types[extname(path)] ?? 'application/octet-stream',
    'Content-Security-Policy': contentPolicy,
    // Asked for again each time, so that a page never meets scripts of another version.
    'Cache-Control': 'no-cache',
    ETag: tag,
  };
  return hasTag(known, tag) ? { status: 304, headers } : { status: 200, text, headers };
}
