import { join } from 'node:path';
import type { RequestHandler, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import type { Settings } from '@holdfast/foundation/config';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { isOwnId } from '@holdfast/shared/media';
import { openLocalFile, type LocalFile } from '@holdfast/shared/media-host';

/** `GET /media/*`: only the local host has files of its own to serve; links to them outlive it. */
export function serveLocalFiles({
  settings: { host, access, dataDir },
  catalog,
}: {
  settings: Pick<Settings, 'host' | 'access' | 'dataDir'>;
  catalog: Pick<Catalog, 'find'>;
}): RequestHandler {
  const isPublic = access.keys.length === 0 || access.publicRead;
  return host.kind === 'local'
    ? serveFile(host.directory, isPublic)
    : serveEarlierFile(catalog, serveFile(join(dataDir, 'media'), isPublic));
}

/** Of `send`, which checks the headers of conditions and ranges, and finds no file that was deleted at this moment. */
const refusals: Readonly<Record<number, ErrorCode>> = {
  404: 'NOT_FOUND',
  412: 'REVISION_MISMATCH',
  416: 'RANGE_NOT_SATISFIABLE',
};

/** Whole files or ranges of them. */
function serveFile(directory: string, isPublic: boolean): RequestHandler {
  return async (req, res, next) => {
    const file = await openLocalFile({ directory }, req.path);
    if (file === null) throw new HoldfastError('NOT_FOUND');
    describe(res, file, isPublic);
    // `send` refuses the last n bytes of a shorter file, which are all of it (RFC 9110, 14.1.2).
    const last = /^bytes=-(\d+)$/.exec(req.get('range') ?? '')?.[1];
    if (Number(last) > file.bytes) delete req.headers.range;
    res.sendFile(
      file.path,
      { dotfiles: 'allow', cacheControl: false, lastModified: false },
      (error?: Error & { code?: string; status?: number }) => {
        if (error === undefined) return;
        // Express reports a client that has left as an error, before the first byte too.
        if (res.headersSent || error.code === 'ECONNABORTED') {
          res.destroy();
          return;
        }
        const code = refusals[error.status ?? 0];
        if (error.status === 416) res.setHeader('Content-Range', `bytes */${String(file.bytes)}`);
        next(code === undefined ? error : new HoldfastError(code, undefined, { cause: error }));
      },
    );
  };
}

/**
 * Links to files of an earlier local host, now that Cloudinary is configured: the file while its record has the old address,
 * then a redirect to the new one. The record decides, since a deleted file may still be in the folder.
 */
function serveEarlierFile(catalog: Pick<Catalog, 'find'>, serve: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const [id = ''] = req.path.slice(req.path.lastIndexOf('/') + 1).split('.', 1);
    const record = isOwnId(id) ? await catalog.find(id) : null;
    if (record === null || record.status === 'deleting') throw new HoldfastError('NOT_FOUND');
    if (record.url === req.path) await serve(req, res, next);
    else if (record.url.startsWith('/')) throw new HoldfastError('NOT_FOUND');
    else {
      // Browsers require this of each step on the way to a file.
      res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      res.redirect(record.url);
    }
  };
}

/** Whatever a file contains, nothing in it may run or load anything. */
const CONTENT_POLICY =
  "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'";
/** Browsers show PDF files in a viewer of their own, which cannot start in a sandbox. */
const PDF_POLICY = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'";

function describe(res: Response, file: LocalFile, isPublic: boolean): void {
  res.setHeader('Content-Type', file.contentType);
  res.setHeader('Content-Disposition', disposition(file));
  res.setHeader(
    'Content-Security-Policy',
    file.contentType === 'application/pdf' ? PDF_POLICY : CONTENT_POLICY,
  );
  res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  res.setHeader('ETag', `"${file.etag}"`);
  res.setHeader('Last-Modified', new Date(file.uploadedAt).toUTCString());
  res.setHeader('Cache-Control', `${isPublic ? 'public' : 'private'}, no-cache`);
}

/** The name in plain ASCII for old clients, and in full (RFC 6266, RFC 8187). */
function disposition({ disposition: kind, filename }: LocalFile): string {
  if (filename === '') return kind;
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const full = encodeURIComponent(filename.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${full}`;
}
