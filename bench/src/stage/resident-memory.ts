import { readFile, writeFile } from 'node:fs/promises';

const KB_PER_MB = 1_024;

/** Resident memory of a process in MB, now and at its peak since `forgetPeak`. Linux only. */
export async function residentMemory(pid: number): Promise<{ nowMb: number; peakMb: number }> {
  const status = await readFile(`/proc/${String(pid)}/status`, 'utf8');
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / KB_PER_MB;
  return { nowMb: field('VmRSS'), peakMb: field('VmHWM') };
}

export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${String(pid)}/clear_refs`, '5');
}
