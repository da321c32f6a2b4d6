import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { HoldfastError } from '@holdfast/shared/errors';
import type { Logger } from '@holdfast/shared/logging';
import { REDIS_ROLE, type ProcessRegistry } from '../processes/process-registry.js';
import { startChild, type RunningProcess } from '../processes/running-process.js';
import { connectToServer, infoField } from './server-connection.js';
import { CONFIGURATION_FILE, serverConfiguration, type ServerConfiguration } from './server-configuration.js';
import type { ServerProgram } from './server-program.js';

export interface ServerLaunch extends ServerConfiguration {
  program: ServerProgram;
  /** Inherited by the server, so that the folder stays locked as long as it is open. */
  lockFd: number;
  registry: ProcessRegistry;
  log: Logger;
}

const KEPT_LINES = 8;

/** Starts the server; `ready` resolves once it has loaded its data and has shown that it is the one we started. */
export async function launchServer(launch: ServerLaunch): Promise<RunningProcess> {
  const { program, directory, lockFd, registry, log } = launch;
  // A file, not an argument: the password appears in no list of processes. And not its standard input: a launcher
  // that dies at this moment would leave a server with half of its configuration.
  const configurationFile = join(directory, CONFIGURATION_FILE);
  await writeFile(configurationFile, serverConfiguration(launch), { mode: 0o600 });
  const { child, pid, ended, stop } = await startChild(
    REDIS_ROLE,
    program.path,
    [configurationFile],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe', lockFd], env: { LC_ALL: 'C' } },
    registry,
  );
  const lines: string[] = [];
  const keep = (line: string): void => {
    lines.push(line);
    if (lines.length > KEPT_LINES) lines.shift();
    log.debug('redis.output', { line });
  };
  for (const output of [child.stdout, child.stderr]) if (output) readLines(output, keep);
  child.once('exit', (code, signal) => {
    if (code !== 0) log.error('redis.ended', { code, signal, lastLines: lines });
  });

  const proveItself = async (): Promise<void> => {
    const processId = await Promise.race([askProcessId(launch, ended), ended]);
    if (processId === pid) return;
    const wrong = typeof processId === 'number' || processId === undefined;
    await stop(0, AbortSignal.abort());
    throw new HoldfastError(
      'REDIS_START_FAILED',
      wrong
        ? `Another server answers at the address of the embedded one (process ${String(processId)}).`
        : `${program.path} ended at its start with code ${String(processId.code)}: ${lines.slice(-3).join(' | ')}`,
    );
  };
  return { pid, ended, stop, ready: proveItself() };
}

/** The number of the process that answers at the address, once it has loaded its data. */
async function askProcessId({ address }: ServerLaunch, ended: Promise<unknown>): Promise<number | undefined> {
  const client = connectToServer(address);
  void ended.then(() => client.disconnect());
  try {
    const processId = infoField(await client.info('server'), 'process_id');
    return processId === undefined ? undefined : Number(processId);
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

function readLines(output: Readable, keep: (line: string) => void): void {
  createInterface({ input: output }).on('line', keep);
}
