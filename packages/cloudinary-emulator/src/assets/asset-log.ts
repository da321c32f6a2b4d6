import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Asset } from './asset.js';
import type { AssetStore } from './asset-store.js';
import { seedAssets, type Seed } from './seed-assets.js';

type LogLine = { put: Asset } | { remove: string } | { seed: Seed };

/** The file that lets a restarted emulator know its assets. */
export interface AssetLog {
  seeded(seed: Seed): void;
  close(): void;
}

/**
 * Fills the store from the log of a directory and from then on writes every change to it before the call
 * that made it is answered. A half-written last line, as kill -9 leaves it, does not count.
 */
export function openAssetLog(directory: string, assets: AssetStore): AssetLog {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, 'assets.ndjson');
  if (existsSync(path)) compact(path, replay(path, assets), assets);
  const file = openSync(path, 'a');
  const append = (line: LogLine) => void writeSync(file, `${JSON.stringify(line)}\n`);
  assets.onChange((previous, next) => {
    if (next !== null) append({ put: next });
    else if (previous !== null) append({ remove: previous.assetId });
  });
  return { seeded: (seed) => append({ seed }), close: () => closeSync(file) };
}

interface Replayed {
  lines: number;
  hasSeeds: boolean;
}

function replay(path: string, assets: AssetStore): Replayed {
  const lines = readFileSync(path, 'utf8').split('\n');
  let hasSeeds = false;
  for (const text of lines) {
    const line = parse(text);
    if (line === null) continue;
    if ('put' in line) assets.put(line.put);
    else if ('seed' in line) {
      hasSeeds = true;
      seedAssets(line.seed, assets);
    } else {
      const asset = assets.byAssetId(line.remove);
      if (asset !== undefined) assets.remove(asset);
    }
  }
  return { lines: lines.length, hasSeeds };
}

/** Rewrites the log when most of it is history; a log with seeds stays, since it is short for what it holds. */
function compact(path: string, { lines, hasSeeds }: Replayed, assets: AssetStore): void {
  const text = hasSeeds || lines < 2 * assets.size + 1000 ? null : [...assets.all()].map(putLine).join('');
  if (text === null) {
    // The end may be a torn line: what is appended next must start on a line of its own.
    const content = readFileSync(path, 'utf8');
    if (content !== '' && !content.endsWith('\n')) writeFileSync(path, '\n', { flag: 'a' });
    return;
  }
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}

function putLine(asset: Asset): string {
  return `${JSON.stringify({ put: asset } satisfies LogLine)}\n`;
}

function parse(text: string): LogLine | null {
  if (text === '') return null;
  try {
    return JSON.parse(text) as LogLine;
  } catch {
    return null;
  }
}
