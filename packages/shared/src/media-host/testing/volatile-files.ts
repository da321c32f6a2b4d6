import type * as Files from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

interface VolatileFiles {
  /** For `vi.mock('node:fs/promises')`. */
  files: typeof Files;
  /** Takes away all that no fsync has brought to the disk: the names of a folder, the bytes of a file. */
  cutPower: () => Promise<void>;
}

/**
 * The real file system, seen as a disk may see it that writes nothing before it must. Knows the calls by which the local host
 * changes names and bytes.
 */
export function createVolatileFiles(real: typeof Files): VolatileFiles {
  let kept: Promise<string> | null = null;
  let spares = 0;
  /** What a name stood for before it changed, oldest first; null where there was none. */
  let names: { path: string; before: string | null }[] = [];
  /** Files whose bytes may be in memory only, by the path they were opened with: another name of each. */
  const unwritten = new Map<string, string>();

  const spareOf = async (path: string): Promise<string | null> => {
    kept ??= real.mkdtemp(join(tmpdir(), 'holdfast-volatile-'));
    spares += 1;
    const spare = join(await kept, String(spares));
    return real.link(path, spare).then(
      () => spare,
      () => null,
    );
  };
  const changing = async (path: string): Promise<void> => {
    names.push({ path, before: await spareOf(path) });
  };
  const exists = (path: string): Promise<boolean> =>
    real.access(path).then(
      () => true,
      () => false,
    );

  const open = async (path: string, flags: string, mode?: number): Promise<Files.FileHandle> => {
    if (flags === 'wx') await changing(path);
    const handle = await real.open(path, flags, mode);
    const [writeFile, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)];
    handle.writeFile = async (...written) => {
      const spare = unwritten.get(path) ?? (await spareOf(path));
      if (spare !== null) unwritten.set(path, spare);
      await writeFile(...written);
    };
    handle.sync = async () => {
      await sync();
      unwritten.delete(path);
      names = names.filter((name) => dirname(name.path) !== path);
    };
    return handle;
  };

  const changes = {
    open,
    writeFile: async (path: string, content: string | Buffer, options?: { flush?: boolean }) => {
      await changing(path);
      await real.writeFile(path, content, options);
      const spare = options?.flush === true ? null : await spareOf(path);
      if (spare !== null) unwritten.set(path, spare);
    },
    link: async (from: string, to: string) => {
      await changing(to);
      await real.link(from, to);
    },
    rename: async (from: string, to: string) => {
      await changing(from);
      await changing(to);
      await real.rename(from, to);
    },
    unlink: async (path: string) => {
      await changing(path);
      await real.unlink(path);
    },
    mkdir: async (path: string, options: { recursive: true }) => {
      if (!(await exists(path))) names.push({ path, before: null });
      return real.mkdir(path, options);
    },
  };
  return {
    files: { ...real, ...changes } as typeof Files,
    cutPower: async () => {
      for (const spare of unwritten.values()) await real.truncate(spare);
      for (const { path, before } of names.toReversed()) {
        await real.rm(path, { recursive: true, force: true });
        // Its folder may be gone as well.
        if (before !== null) await real.link(before, path).catch(() => undefined);
      }
      if (kept !== null) await real.rm(await kept, { recursive: true });
      kept = null;
      names = [];
      unwritten.clear();
    },
  };
}
