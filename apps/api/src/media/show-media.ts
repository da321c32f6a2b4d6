import type { Answer, Input } from '../http/endpoint.js';
import type { PublicAddress } from '../http/http-server.js';
import { hasTag } from '../http/request-input.js';
import { entityTag } from './media-tag.js';
import { findMedia, type FindDependencies } from './find-media.js';
import { presentMedia } from './present-media.js';

/** One record, or 304 where the client has it already. */
export const showMedia =
  (deps: FindDependencies & { address: PublicAddress }) =>
  async ({ params, header }: Input<'id'>): Promise<Answer> => {
    const media = presentMedia(await findMedia(deps, params.id), deps.address);
    const tag = entityTag(media);
    const headers = { ETag: tag, 'Cache-Control': 'private, no-cache' };
    return hasTag(header('if-none-match'), tag)
      ? { status: 304, headers }
      : { status: 200, body: media, headers };
  };
