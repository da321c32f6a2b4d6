/** `allowed` holds media types such as `image/png`, `image/*`, or `*\/*`. */
export function isAllowedType(mime: string, allowed: readonly string[]): boolean {
  return allowed.some(
    (pattern) =>
      pattern === '*/*' ||
      pattern === mime ||
      (pattern.endsWith('/*') && mime.startsWith(pattern.slice(0, -1))),
  );
}
