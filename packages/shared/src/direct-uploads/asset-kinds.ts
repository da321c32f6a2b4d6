import { isAllowedType, type ResourceType } from '../media/index.js';
import type { HostAsset } from '../media-host/index.js';

/** Raw files are stored as they come; the host has not looked what they are. */
const UNKNOWN = 'application/octet-stream';

/** The host's formats, and what media types files of each may be. Containers may hold sound alone. */
const kinds: Readonly<Record<Exclude<ResourceType, 'raw'>, Readonly<Record<string, readonly string[]>>>> = {
  image: {
    png: ['image/png', 'image/apng'],
    jpg: ['image/jpeg'],
    jpeg: ['image/jpeg'],
    jxl: ['image/jxl'],
    jp2: ['image/jp2'],
    gif: ['image/gif'],
    webp: ['image/webp'],
    avif: ['image/avif'],
    heic: ['image/heic', 'image/heif'],
    heif: ['image/heif', 'image/heic'],
    bmp: ['image/bmp'],
    tif: ['image/tiff'],
    tiff: ['image/tiff'],
    ico: ['image/x-icon', 'image/vnd.microsoft.icon'],
    psd: ['image/vnd.adobe.photoshop'],
    svg: ['image/svg+xml'],
    pdf: ['application/pdf'],
    eps: ['application/postscript'],
    ai: ['application/postscript', 'application/pdf'],
    arw: ['image/x-sony-arw'],
    cr2: ['image/x-canon-cr2'],
    dng: ['image/x-adobe-dng'],
  },
  video: {
    mp4: ['video/mp4', 'audio/mp4'],
    m4v: ['video/x-m4v', 'video/mp4'],
    mov: ['video/quicktime'],
    webm: ['video/webm', 'audio/webm'],
    mkv: ['video/matroska', 'video/x-matroska', 'audio/x-matroska'],
    avi: ['video/vnd.avi', 'video/x-msvideo'],
    flv: ['video/x-flv'],
    mpg: ['video/mpeg'],
    mpeg: ['video/mpeg'],
    ogv: ['video/ogg'],
    ts: ['video/mp2t'],
    wmv: ['video/x-ms-asf', 'video/x-ms-wmv'],
    '3gp': ['video/3gpp', 'audio/3gpp'],
    ogg: ['audio/ogg', 'video/ogg'],
    opus: ['audio/opus', 'audio/ogg'],
    mp3: ['audio/mpeg'],
    m4a: ['audio/x-m4a', 'audio/mp4'],
    aac: ['audio/aac'],
    wav: ['audio/wav', 'audio/x-wav'],
    flac: ['audio/flac', 'audio/x-flac'],
    aiff: ['audio/aiff', 'audio/x-aiff'],
    amr: ['audio/amr'],
  },
};

/** Whether a file of this kind, as the host has told it from the bytes, is one of the allowed media types. */
export function isAllowedKind(
  { resourceType, format }: Pick<HostAsset, 'resourceType' | 'format'>,
  allowed: readonly string[],
): boolean {
  if (resourceType === 'raw' || format === null || format === undefined) return mayBeAnyKind(allowed);
  const types = kinds[resourceType][format] ?? [`${resourceType}/${format}`];
  return types.some((type) => isAllowedType(type, allowed));
}

/** Whether files may come in of which the host cannot tell the kind. */
export function mayBeAnyKind(allowed: readonly string[]): boolean {
  return isAllowedType(UNKNOWN, allowed);
}

/** The formats that the host is told to accept; `auto` = of every resource type. */
export function formatsFor(resourceType: ResourceType | 'auto', allowed: readonly string[]): string[] {
  return (['image', 'video'] as const)
    .filter((type) => resourceType === 'auto' || resourceType === type)
    .flatMap((type) =>
      Object.keys(kinds[type]).filter((format) => isAllowedKind({ resourceType: type, format }, allowed)),
    );
}
