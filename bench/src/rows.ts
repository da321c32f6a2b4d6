import type { MeasureRow } from './row.js';
import { attacks } from './rows/attacks.js';
import { deletes } from './rows/deletes.js';
import { fullSync } from './rows/full-sync.js';
import { idleCommands } from './rows/idle-commands.js';
import { largeFile } from './rows/large-file.js';
import { latency } from './rows/latency.js';
import { lists } from './rows/lists.js';
import { memory } from './rows/memory.js';
import { month } from './rows/month.js';
import { pipeline } from './rows/pipeline.js';
import { rebuild } from './rows/rebuild.js';
import { recordMemory } from './rows/record-memory.js';
import { resume } from './rows/resume.js';
import { snapshotRestore } from './rows/snapshot-restore.js';
import { uploads } from './rows/uploads.js';
import { workerMemory } from './rows/worker-memory.js';

/** Every row there is, by the name that the command takes. */
export const rows = {
  uploads,
  'large-file': largeFile,
  pipeline,
  latency,
  'full-sync': fullSync,
  rebuild,
  'snapshot-restore': snapshotRestore,
  resume,
  'worker-memory': workerMemory,
  lists,
  deletes,
  memory,
  'record-memory': recordMemory,
  'idle-commands': idleCommands,
  month,
  attacks,
} as const satisfies Record<string, MeasureRow>;

export type RowName = keyof typeof rows;
export const rowNames = Object.keys(rows) as RowName[];
