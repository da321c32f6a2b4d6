import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError } from '@holdfast/shared/errors';
import { connectToServer, infoField } from './server-connection.js';
import { launchServer, type ServerLaunch } from './launch-server.js';

const POLL_MS = 50;
const STOP_MS = 30_000;

/** Whether the folder holds a snapshot and no append-only file: a server that appends would start empty on it. */
export async function holdsSnapshotOnly(directory: string): Promise<boolean> {
  // The manifest, not its folder: the folder is made before the first rewrite is complete.
  const appendOnlyFiles = [join('appendonlydir', 'appendonly.aof.manifest'), 'appendonly.aof'];
  for (const file of appendOnlyFiles) if (await exists(join(directory, file))) return false;
  return exists(join(directory, 'dump.rdb'));
}

/** Loads the snapshot without appending, then switches appending on and waits until the first rewrite holds it all. */
export async function adoptSnapshot(launch: Omit<ServerLaunch, 'appendOnly'>): Promise<void> {
  const { address, log, directory } = launch;
  log.info('redis.snapshot_found', { directory });
  const server = await launchServer({ ...launch, appendOnly: false });
  const client = connectToServer(address);
  try {
    await server.ready;
    await client.config('SET', 'appendonly', 'yes');
    while (!isRewritten(await client.info('persistence'))) await delay(POLL_MS);
    log.info('redis.snapshot_adopted', { keys: await client.dbsize() });
  } catch (error) {
    throw new HoldfastError('REDIS_START_FAILED', `The snapshot in ${directory} cannot be loaded`, {
      cause: error,
    });
  } finally {
    client.disconnect();
    await server.stop(STOP_MS, AbortSignal.timeout(STOP_MS));
  }
}

function isRewritten(info: string): boolean {
  const idle = ['aof_rewrite_in_progress', 'aof_rewrite_scheduled'].every(
    (field) => infoField(info, field) === '0',
  );
  if (infoField(info, 'aof_enabled') !== '1' || !idle) return false;
  if (infoField(info, 'aof_last_bgrewrite_status') === 'ok') return true;
  throw new HoldfastError('REDIS_START_FAILED', 'The first rewrite of the append-only file failed');
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
