import { mediaLimits } from '@holdfast/shared/media';

/** With its dot. What is longer is no extension, but text after a dot. */
const EXTENSION = /\.[^.\s]{1,16}$/u;

/**
 * The name a client gave its file, for people to read: no folders, no control characters, at most 255 characters. Of a
 * longer name the end is cut off, but not its extension.
 */
export function cleanFilename(name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  const clean = base.toWellFormed().replaceAll(/\p{Cc}/gu, '');
  const characters = Array.from(clean);
  if (characters.length <= mediaLimits.filename) return clean;
  const extension = Array.from(EXTENSION.exec(clean)?.[0] ?? '');
  return [...characters.slice(0, mediaLimits.filename - extension.length), ...extension].join('');
}
