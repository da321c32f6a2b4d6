import { imageSize } from 'image-size';
import { ApiError } from '../api-error.js';
import type { Asset, ResourceType } from '../assets/asset.js';
import { cheapDuration } from './duration.js';
import { fileKind, type FileKind } from './file-kind.js';

/** What the host finds out about the bytes themselves. */
export type FileDescription = Pick<Asset, 'resourceType' | 'format' | 'width' | 'height' | 'duration'>;

/**
 * Describes a file from its first bytes, as the endpoint it was sent to sees it. Throws 400 for bytes that
 * are no image (or no video) where one was promised.
 */
export function describeFile(head: Buffer, endpoint: ResourceType | 'auto'): FileDescription {
  const kind = endpoint === 'raw' ? null : fileKind(head);
  if (endpoint === 'image' && kind?.family !== 'image') throw new ApiError(400, 'Invalid image file');
  // Images are welcome at the video endpoint of the real host too, as single frames; here they are refused.
  if (endpoint === 'video' && kind?.family !== 'video') {
    throw new ApiError(400, 'Unsupported video format or file');
  }
  if (kind === null) return { resourceType: 'raw', format: null, width: null, height: null, duration: null };
  return kind.family === 'image' ? describeImage(head, kind) : describeVideo(head, kind);
}

function describeImage(head: Buffer, kind: FileKind): FileDescription {
  if (kind.format === 'pdf') {
    return { resourceType: 'image', format: 'pdf', width: 595, height: 842, duration: null };
  }
  try {
    const { width, height } = imageSize(head);
    return { resourceType: 'image', format: kind.format, width, height, duration: null };
  } catch {
    throw new ApiError(400, 'Invalid image file');
  }
}

function describeVideo(head: Buffer, kind: FileKind): FileDescription {
  return {
    resourceType: 'video',
    format: kind.format,
    width: null,
    height: null,
    duration: cheapDuration(kind.format, head),
  };
}
