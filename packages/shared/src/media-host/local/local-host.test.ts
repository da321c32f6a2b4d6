import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { LocalHostSettings } from '../../config/index.js';
import { silentLogger } from '../../logging/index.js';
import { describeMediaHost } from '../media-host.contract.js';
import { createLocalHost } from './local-host.js';
import { openLocalFile } from './open-local-file.js';

async function freshSettings(): Promise<LocalHostSettings> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-media-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return { kind: 'local', directory, folder: 'holdfast', syncPrefix: '' };
}

describeMediaHost('local folder', async () => {
  const settings = await freshSettings();
  const host = await createLocalHost(settings, { log: silentLogger, reserveBytes: 0 });
  onTestFinished(() => host.close());
  return {
    host,
    bytesOf: async (asset) => {
      const file = await openLocalFile(settings, asset.url);
      return file === null ? Buffer.alloc(0) : readFile(file.path);
    },
    leftovers: async () =>
      (await readdir(settings.directory, { recursive: true })).filter((name) => /[0-9a-f]{16}/.test(name)),
  };
});
