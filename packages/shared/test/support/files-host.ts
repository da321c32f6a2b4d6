import type { MediaHost } from '../../src/media-host/index.js';
import { decodeDeletions } from '../../src/snapshot/index.js';

export type FilesHost = Pick<MediaHost, 'putFile' | 'readFile' | 'removeFile'>;

/** A host of files, and the most that it ever had. */
export function filesHost() {
  const files = new Map<string, Buffer>();
  const seen: { most: number; puts: string[] } = { most: 0, puts: [] };
  const host: FilesHost = {
    putFile: async (name, body) => {
      seen.puts.push(name);
      await Promise.resolve();
      if (!files.has(name)) files.set(name, body);
      seen.most = Math.max(seen.most, files.size);
    },
    readFile: (name) => Promise.resolve(files.get(name) ?? null),
    removeFile: (name) => Promise.resolve(files.delete(name) ? 'removed' : 'absent'),
  };
  const noted = (): Set<string> => new Set([...files.values()].flatMap(decodeDeletions));
  return { files, seen, host, noted };
}
