import { setTimeout as pause } from 'node:timers/promises';
import type { Fault } from '@holdfast/cloudinary-emulator';
import type { Random } from '@holdfast/shared/testing';
import type { FaultAction } from './fault-action.js';

const LOOK_EVERY_MS = 200;
/** Calls that come with every upload, edit or deletion. */
const writing = { endpoint: ['upload', 'explicit', 'destroy'] };
const uploading = { endpoint: 'upload' };

/** The host misbehaves for a number of calls; over when they were made, or when the run ends. Null when none was. */
const misbehave =
  (choose: (random: Random) => Fault): FaultAction =>
  async ({ stage, random, ending }) => {
    const fault = choose(random);
    const { id } = await stage.host.faults.add(fault);
    const hits = async (): Promise<number> =>
      (await stage.host.faults.list()).find((entry) => entry.id === id)?.hits ?? 0;
    while (!ending.aborted && (await hits()) < (fault.count ?? 1)) await pause(LOOK_EVERY_MS);
    const met = await hits();
    await stage.host.faults.clear(id);
    return met === 0 ? null : `${String(met)} calls`;
  };

const few = (random: Random) => ({ skip: random.whole(0, 5), count: random.whole(1, 4) });

export const hostFaults = {
  'host is silent': misbehave((random) => ({
    kind: 'silence',
    ms: random.whole(1_000, 8_000),
    readBody: random.chance(0.5),
    effect: random.pick(['none', 'done']),
    match: writing,
    ...few(random),
  })),
  'host errs': misbehave((random) => ({
    kind: 'error',
    status: random.pick([500, 503]),
    effect: random.pick(['none', 'done']),
    match: writing,
    ...few(random),
  })),
  'host answers html': misbehave((random) => ({
    kind: 'html',
    status: random.pick([502, 503, 504]),
    effect: random.pick(['none', 'done']),
    match: writing,
    ...few(random),
  })),
  'host answers garbage': misbehave((random) => ({ kind: 'garbage', match: writing, ...few(random) })),
  'host answers early': misbehave((random) => ({ kind: 'early-error', match: uploading, ...few(random) })),
  'host resets the body': misbehave((random) => ({
    kind: 'reset-body',
    afterBytes: random.whole(0, 2_000),
    match: uploading,
    ...few(random),
  })),
  'host succeeds and drops': misbehave((random) => ({
    kind: 'drop-after-success',
    match: writing,
    ...few(random),
  })),
  'host cuts its answer': misbehave((random) => ({ kind: 'cut-response', match: writing, ...few(random) })),
  'host limits the rate': misbehave((random) => ({
    kind: 'rate-limit',
    status: random.pick([420, 429]),
    match: { endpoint: ['upload', 'explicit', 'list', 'search'] },
    ...few(random),
  })),
  'host is slow': misbehave((random) => ({
    kind: 'slow-response',
    ms: random.whole(500, 6_000),
    match: writing,
    ...few(random),
  })),
  'host reads slowly': misbehave((random) => ({
    kind: 'slow-body',
    bytesPerSecond: random.whole(2_000, 100_000),
    match: uploading,
    ...few(random),
  })),
  'host stores other bytes': misbehave((random) => ({ kind: 'corrupt', match: uploading, ...few(random) })),
} as const satisfies Record<string, FaultAction>;
