import type { RequestHandler } from 'express';
import type { Catalog } from '@holdfast/shared/catalog';
import { HoldfastError } from '@holdfast/shared/errors';
import { isOwnId } from '@holdfast/shared/media';

/**
 * Links to files of the local host, where Cloudinary is configured now: the file as long as its record is there, then a
 * redirect to where it was moved. The record decides, since a deleted file may still lie in the folder.
 */
export function serveEarlierFile(catalog: Pick<Catalog, 'find'>, serve: RequestHandler): RequestHandler {
  return async (req, res, next) => {
    const [id = ''] = req.path.slice(req.path.lastIndexOf('/') + 1).split('.', 1);
    const record = isOwnId(id) ? await catalog.find(id) : null;
    if (record === null || record.status === 'deleting') throw new HoldfastError('NOT_FOUND');
    if (record.url === req.path) await serve(req, res, next);
    else if (record.url.startsWith('/')) throw new HoldfastError('NOT_FOUND');
    else {
      // Browsers ask this of each step on the way to a file.
      res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
      res.redirect(record.url);
    }
  };
}
