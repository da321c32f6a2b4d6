import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  startCloudinaryEmulator,
  type CloudinaryEmulator,
  type EmulatorOptions,
} from '@holdfast/cloudinary-emulator';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import type { Row } from '../../src/doctor/check.js';
import { runDoctor, type Diagnosis, type DoctorOptions } from '../../src/doctor/run-doctor.js';

export async function temporaryFolder(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

export async function startEmulator(options: EmulatorOptions = {}): Promise<CloudinaryEmulator> {
  const emulator = await startCloudinaryEmulator(options);
  onTestFinished(() => emulator.close());
  return emulator;
}

/** A doctor of an installation with keys, a folder of its own and this environment. */
export async function examine(env: Environment, options: Partial<DoctorOptions> = {}): Promise<Diagnosis> {
  const all = {
    API_KEYS: 'web:write:a-secret-of-somebody',
    DATA_DIR: await temporaryFolder(),
    ...env,
  };
  return runDoctor({
    settings: readSettings(all),
    env: all,
    signal: new AbortController().signal,
    longestPauseMs: 400,
    ...options,
  });
}

/** As documented. */
export const MAX_ADMIN_CALLS = 20;

export const rowNamed = ({ rows }: Diagnosis, name: string): Row | undefined =>
  rows.find((row) => row.name === name);

/** The disk of a test is in memory, which the doctor says. */
export const notWell = ({ rows }: Diagnosis): string[] =>
  rows.filter(({ severity, name }) => severity !== 'ok' && name !== 'Data folder').map(({ name }) => name);
