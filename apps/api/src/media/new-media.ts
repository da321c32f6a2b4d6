import { mediaLimits, publicIdFor } from '@holdfast/shared/media';

/** Where a new asset will be. Raw files carry their extension, given without a dot, in the public id, as Cloudinary requires. */
export function refFor<Type extends string>(
  folder: string,
  id: string,
  { resourceType, extension }: { resourceType: Type; extension: string },
): { publicId: string; resourceType: Type } {
  return { publicId: publicIdFor(folder, id, resourceType === 'raw' ? extension : ''), resourceType };
}

/** With its dot. Anything longer is text after a dot, not an extension. */
const EXTENSION = /\.[^.\s]{1,16}$/u;

/**
 * The name a client gave its file, for people to read: no folders, no control characters, at most 255 characters. A longer
 * name is cut at the end but keeps its extension.
 */
export function cleanFilename(name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  const clean = base.toWellFormed().replaceAll(/\p{Cc}/gu, '');
  const characters = Array.from(clean);
  if (characters.length <= mediaLimits.filename) return clean;
  const extension = Array.from(EXTENSION.exec(clean)?.[0] ?? '');
  return [...characters.slice(0, mediaLimits.filename - extension.length), ...extension].join('');
}
