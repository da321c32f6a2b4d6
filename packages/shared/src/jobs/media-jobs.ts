import { z } from 'zod';
import { mediaRecord, resourceTypes } from '../media/index.js';
import { defineJob } from './define-job.js';

/** `round` tells repeats by the sweep from the first try: BullMQ ignores an id that it still keeps. */
const round = z.number().int().min(0).default(0);
const suffix = (n: number): string => (n === 0 ? '' : `-r${String(n)}`);

/** Writes the record into the catalog. Carries the record, so that nothing is lost when Redis forgot the rest. */
export const saveJob = defineJob({
  name: 'save',
  queue: 'save',
  payload: z.object({ record: mediaRecord, round }),
  idFor: ({ record, round: n }) => `save-${record.id}-${String(record.revision)}${suffix(n)}`,
});

/** Reads the record back over another connection, compares it, and obtains the durability level. */
export const verifyJob = defineJob({
  name: 'verify',
  queue: 'verify',
  payload: z.object({ record: mediaRecord, round }),
  idFor: ({ record, round: n }) => `verify-${record.id}-${String(record.revision)}${suffix(n)}`,
});

/** Writes what was edited here to the asset on the host. Reads the record when it runs: the newest revision counts. */
export const pushJob = defineJob({
  name: 'push',
  queue: 'save',
  payload: z.object({ id: z.string(), revision: z.number().int().min(1), round }),
  idFor: ({ id, revision, round: n }) => `push-${id}-${String(revision)}${suffix(n)}`,
});

/** Removes the asset of a deleted media from the host, then the record. Its tombstone is already there. */
export const removeJob = defineJob({
  name: 'remove',
  queue: 'save',
  payload: z.object({ id: z.string(), publicId: z.string(), resourceType: z.enum(resourceTypes), round }),
  idFor: ({ id, round: n }) => `remove-${id}${suffix(n)}`,
});
