/** The tags of `If-Match` or `If-None-Match`, as they are written. */
export function splitTags(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}

/** `If-None-Match`: whether the client has this already. Compared weakly, as the RFC wants it. */
export function hasTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  if (header.trim() === '*') return true;
  return splitTags(header).some((candidate) => candidate.replace(/^W\//, '') === tag);
}
