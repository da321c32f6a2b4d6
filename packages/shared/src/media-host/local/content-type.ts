/** What browsers may show in place: formats that cannot carry a script that runs. Anything else is offered as a download. */
const shown: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  avif: 'image/avif',
  heic: 'image/heic',
  heif: 'image/heif',
  bmp: 'image/bmp',
  ico: 'image/x-icon',
  tiff: 'image/tiff',
  jxl: 'image/jxl',
  pdf: 'application/pdf',
  mp4: 'video/mp4',
  mov: 'video/quicktime',
  webm: 'video/webm',
  mkv: 'video/x-matroska',
  avi: 'video/x-msvideo',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  aac: 'audio/aac',
  wav: 'audio/wav',
  ogg: 'audio/ogg',
  flac: 'audio/flac',
};

export interface Presentation {
  contentType: string;
  disposition: 'inline' | 'attachment';
}

/** `format` is an extension without its dot. */
export function presentationOf(format: string): Presentation {
  const contentType = Object.hasOwn(shown, format.toLowerCase()) ? shown[format.toLowerCase()] : undefined;
  return contentType === undefined
    ? { contentType: 'application/octet-stream', disposition: 'attachment' }
    : { contentType, disposition: 'inline' };
}
