import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { HoldfastError } from '@holdfast/shared/errors';
import { endpoint, type Endpoint } from '../http/endpoint.js';
import { answerFixed, fixedBody, type FixedBody } from '../http/fixed-body.js';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

/** A page and what belongs to it: a closed list of files, read once and sent as they are. */
export interface PageFiles {
  /** Paths of files by the name that they are asked for. `index.html` is the page itself. */
  files: Readonly<Record<string, string>>;
  contentPolicy: string;
}

/** The page itself. */
export const servePage = (page: PageFiles): Endpoint => serve(page, () => 'index.html');

/** What belongs to a page, by the parameter `file` of its path. */
export const servePageFile = (page: PageFiles): Endpoint => serve(page, (params) => params['file'] ?? '');

function serve(
  { files, contentPolicy }: PageFiles,
  nameOf: (params: Readonly<Record<string, string>>) => string,
): Endpoint {
  const bodies = new Map<string, Promise<FixedBody>>();
  return endpoint({
    handle: async (input) => {
      const name = nameOf(input.params);
      const path = Object.hasOwn(files, name) ? files[name] : undefined;
      if (path === undefined) throw new HoldfastError('NOT_FOUND');
      const body = bodies.get(path) ?? readFile(path).then(fixedBody);
      bodies.set(path, body);
      return answerFixed(await body, input, {
        'Content-Type': types[extname(path)] ?? 'application/octet-stream',
        'Content-Security-Policy': contentPolicy,
      });
    },
  });
}
