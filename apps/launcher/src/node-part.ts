import type { ProcessRegistry } from './processes/process-registry.js';
import { startChild, type RunningProcess } from './processes/running-process.js';

/** One of our own programs: the API or the worker. */
export interface NodePart {
  name: string;
  /** Absolute path of its main file. */
  script: string;
}

/** Caps how far the heap's young generation grows under load: it is not given back. 20 MB less for each process at rest. */
const HEAP_LIMIT = '--max-semi-space-size=4';

/** Runs it on the same Node.js, writing to the same terminal. */
export async function launchNodePart(
  part: NodePart,
  env: NodeJS.ProcessEnv,
  registry: ProcessRegistry,
): Promise<RunningProcess> {
  const { pid, ended, stop } = await startChild(
    part.name,
    process.execPath,
    [HEAP_LIMIT, part.script],
    { env, stdio: ['ignore', 'inherit', 'inherit'] },
    registry,
  );
  return { pid, ended, stop, ready: Promise.resolve() };
}
