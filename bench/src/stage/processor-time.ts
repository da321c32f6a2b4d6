import { readFile } from 'node:fs/promises';

/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

/** Processor time that these processes have used so far, in ms. Unlike elapsed time it does not grow with a busy neighbour. */
export async function processorMs(pids: readonly number[]): Promise<number> {
  const used = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
      // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    }),
  );
  return used.reduce((sum, ms) => sum + ms, 0);
}
