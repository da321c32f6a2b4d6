import { execFile, spawnSync } from 'node:child_process';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** From util-linux: changes a limit of a process that runs. */
const PRLIMIT = 'prlimit';

export const canLimitFiles = spawnSync(PRLIMIT, ['--version']).status === 0;

/**
 * A redis-server whose files can be kept from growing, as on a disk without room: the write to its append-only file fails.
 * (The error is "file too large", not "no space left"; Redis treats them alike.)
 */
export interface LimitedRedis {
  /** The folder to put first on PATH. */
  folder: string;
  program: string;
  /** Nothing that it writes gets larger than this from now on, also after a restart. */
  fill(pid: number, bytes: number): Promise<void>;
  /** There is room again; `pid` is that of a server that still runs. */
  makeRoom(pid?: number): Promise<void>;
}

/** Puts a program of the name redis-server into `folder`. */
export async function limitedRedis(folder: string): Promise<LimitedRedis> {
  await mkdir(folder, { recursive: true });
  const [program, limit] = [join(folder, 'redis-server'), join(folder, 'blocks')];
  // A file that would grow past its limit is an error then, and not the end of the process.
  const lines = ['#!/bin/sh', "trap '' XFSZ", `[ -f ${limit} ] && ulimit -S -f "$(cat ${limit})"`];
  // Not itself again: the folder is the first on PATH.
  lines.push(`PATH="${process.env['PATH'] ?? ''}" exec redis-server "$@"`, '');
  await writeFile(program, lines.join('\n'));
  await chmod(program, 0o755);
  const limitOf = (pid: number, bytes: string) =>
    promisify(execFile)(PRLIMIT, ['--pid', String(pid), `--fsize=${bytes}:`]);
  return {
    folder,
    program,
    fill: async (pid, bytes) => {
      // The shell counts in blocks of 512 bytes.
      await writeFile(limit, String(Math.ceil(bytes / 512)));
      await limitOf(pid, String(bytes));
    },
    makeRoom: async (pid) => {
      await rm(limit, { force: true });
      if (pid !== undefined) await limitOf(pid, 'unlimited');
    },
  };
}
