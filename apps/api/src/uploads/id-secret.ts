import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataFolder, type HostSettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';

const FILE = 'upload-ids.secret';
const BYTES = 32;

/**
 * The secret behind the ids of uploads with an Idempotency-Key, the same for all processes of a deployment: derived from
 * Cloudinary's, or a file in the data folder that the first one who needs it makes. Rejects with INTERNAL when that folder
 * cannot be used.
 */
export function createIdSecret(host: HostSettings, dataDir: string): () => Promise<Buffer> {
  if (host.kind === 'cloudinary') {
    const derived = createHmac('sha256', host.apiSecret).update('holdfast upload ids').digest();
    return () => Promise.resolve(derived);
  }
  let known: Promise<Buffer> | undefined;
  return () => {
    known ??= readOrMake(dataDir).catch((error: unknown) => {
      known = undefined;
      throw new HoldfastError('INTERNAL', 'the data folder cannot be used', { cause: error });
    });
    return known;
  };
}

async function readOrMake(folder: string): Promise<Buffer> {
  const path = join(folder, FILE);
  const there = await readFile(path).catch(() => null);
  if (there?.length === BYTES) return there;
  await makeDataFolder(folder);
  const draft = join(folder, `.${FILE}.${randomUUID()}`);
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(randomBytes(BYTES));
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    // Whole or not at all, and only one of several processes that start at once.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await unlink(draft);
  }
  return readFile(path);
}
