/** The name a client gave its file, for people to read: no folders, no control characters, at most 255 characters. */
export function cleanFilename(name: string): string {
  const base = name.slice(Math.max(name.lastIndexOf('/'), name.lastIndexOf('\\')) + 1);
  return Array.from(base.toWellFormed().replaceAll(/\p{Cc}/gu, ''))
    .slice(0, 255)
    .join('');
}
