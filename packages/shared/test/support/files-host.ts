import type { MediaHost } from '../../src/media-host/index.js';
import { decodeDeletions } from '../../src/snapshot/index.js';

export type FilesHost = Pick<MediaHost, 'putFile' | 'removeFile'>;

/** A host of files, the most that it ever had, and the deletions that it had notes of and has no more. */
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
    removeFile: (name) => {
      const removed = files.get(name);
      files.delete(name);
      const left = noted();
      for (const id of removed === undefined ? [] : decodeDeletions(removed)) if (!left.has(id)) lost.add(id);
      return Promise.resolve(removed === undefined ? 'absent' : 'removed');
    },
  };
  const noted = (): Set<string> => new Set([...files.values()].flatMap(decodeDeletions));
  const lost = new Set<string>();
  return { files, seen, host, noted, lost };
}
