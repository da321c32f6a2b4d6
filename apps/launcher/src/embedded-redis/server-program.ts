/** A server binary: Redis and Valkey write files that the other cannot always read. */
export interface ServerProgram {
  kind: ServerKind;
  version: string;
  path: string;
}

export type ServerKind = 'redis' | 'valkey';

/** Appending in several parts, which the folder checks rely on, came with 7.0. */
export const MINIMUM_VERSION = '7.0';

/** Kind and version from the answer to `--version`; the file's name proves nothing (some systems link one to the other). */
export function parseVersion(answer: string): Omit<ServerProgram, 'path'> | undefined {
  const match = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(answer);
  if (match === null) return undefined;
  return { kind: match[1] === 'Redis' ? 'redis' : 'valkey', version: match[2] ?? '' };
}

/** Whether `version` is of an older line than `other`. The third number does not count: it never changes the format. */
export function isOlderLine(version: string, other: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [otherMajor = 0, otherMinor = 0] = other.split('.').map(Number);
  return major < otherMajor || (major === otherMajor && minor < otherMinor);
}
