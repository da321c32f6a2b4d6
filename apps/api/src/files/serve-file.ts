import { basename, extname, join } from 'node:path';
import type { RequestHandler, Response } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { formats, isOwnId, readHostMetadata } from '@holdfast/shared/media';
import { openLocalFile, type HostAsset } from '@holdfast/shared/media-host';
import type { Dependencies } from '../dependencies.js';

/** `GET /media/*`: only the local host has files of its own to serve; links to them outlive it. */
export function serveLocalFiles(deps: Pick<Dependencies, 'settings' | 'catalog'>): RequestHandler {
  const { host, access, dataDir } = deps.settings;
  const isPublic = access.keys.length === 0 || access.publicRead;
  return host.kind === 'local'
    ? serveFile(host.directory, isPublic)
    : serveEarlierFile(deps.catalog, serveFile(join(dataDir, 'media'), isPublic));
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
    const file = await openLocalFile(directory, req.path);
    if (file === null) throw new HoldfastError('NOT_FOUND');
    const { path, asset } = file;
    describe(res, asset, isPublic);
    // `send` refuses the last n bytes of a shorter file, which are all of it (RFC 9110, 14.1.2).
    const last = /^bytes=-(\d+)$/.exec(req.get('range') ?? '')?.[1];
    if (Number(last) > asset.bytes) delete req.headers.range;
    res.sendFile(
      path,
      { dotfiles: 'allow', cacheControl: false, lastModified: false },
      (error?: Error & { code?: string; status?: number }) => {
        if (error === undefined) return;
        // Express reports a client that has left as an error, before the first byte too.
        if (res.headersSent || error.code === 'ECONNABORTED') {
          res.destroy();
          return;
        }
        const code = refusals[error.status ?? 0];
        if (error.status === 416) res.setHeader('Content-Range', `bytes */${String(asset.bytes)}`);
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

function describe(res: Response, asset: HostAsset, isPublic: boolean): void {
  const contentType = shownAs(asset);
  const filename = readHostMetadata(asset)?.fields.filename ?? basename(asset.publicId);
  res.setHeader('Content-Type', contentType ?? 'application/octet-stream');
  const kind = contentType === undefined ? 'attachment' : 'inline';
  res.setHeader('Content-Disposition', disposition(kind, filename));
  res.setHeader('Content-Security-Policy', contentType === 'application/pdf' ? PDF_POLICY : CONTENT_POLICY);
  res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
  res.setHeader('ETag', `"${asset.etag ?? ''}"`);
  res.setHeader('Last-Modified', new Date(asset.uploadedAt).toUTCString());
  res.setHeader('Cache-Control', `${isPublic ? 'public' : 'private'}, no-cache`);
}

/** Formats in which a script may run. Like files of no known format they are offered as downloads; all others browsers may show. */
const active = new Set(['svg', 'eps', 'ai']);
const shownTypes = new Map(Object.entries({ ...formats.image, ...formats.video }));

function shownAs({ format, publicId }: HostAsset): string | undefined {
  const name = (format ?? extname(publicId).slice(1)).toLowerCase();
  return active.has(name) ? undefined : shownTypes.get(name)?.[0];
}

/** The name, which may hold any character, in plain ASCII for old clients, and in full (RFC 6266, RFC 8187). */
function disposition(kind: 'attachment' | 'inline', filename: string): string {
  if (filename === '') return kind;
  const plain = filename.replaceAll(/[^\x20-\x7e]|["\\%]/g, '_');
  const full = encodeURIComponent(filename.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `${kind}; filename="${plain}"; filename*=UTF-8''${full}`;
}
