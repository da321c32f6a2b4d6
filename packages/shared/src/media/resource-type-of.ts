import type { ResourceType } from './media-record.js';

/** Where the host keeps files of a media type. As Cloudinary sorts them: audio counts as video, PDF as image. */
export function resourceTypeOf(mime: string): ResourceType {
  if (mime.startsWith('image/') || mime === 'application/pdf') return 'image';
  if (mime.startsWith('video/') || mime.startsWith('audio/')) return 'video';
  return 'raw';
}
