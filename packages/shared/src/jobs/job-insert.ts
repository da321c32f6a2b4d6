import type { Job, Queue } from 'bullmq';
import { HoldfastError } from '../errors/index.js';
import { ADD_JOB_KEYS, ADD_JOB_VALUES } from './add-job-script.js';

/** One job as BullMQ's script adds it: the keys that it touches and its arguments, in BullMQ's own order and encoding. */
export interface JobInsert {
  keys: readonly string[];
  /** Texts, and what BullMQ encodes as msgpack. */
  values: readonly (string | Buffer)[];
}

type Sent = (string | Buffer)[];

/** What BullMQ calls when it adds a job to a transaction. */
type AddToTransaction = (
  client: { runCommand(name: string, args: Sent): number },
  ...rest: unknown[]
) => Promise<unknown>;

/**
 * What BullMQ would send to add this job, without sending it: for scripts that add the job themselves, in the same step as
 * something else (add-job-script.ts). BullMQ encodes it, so that a worker finds what it expects. For jobs that may start at
 * once and have no parent; throws INTERNAL for others, which BullMQ adds with other scripts.
 */
export async function insertOf(
  queue: Queue,
  { jobData, jobId }: ReturnType<Job['toFlowEntry']>,
): Promise<JobInsert> {
  let command = '';
  let sent: Sent = [];
  const recorder = {
    runCommand: (name: string, args: Sent): number => {
      command = name;
      sent = args;
      return 0;
    },
  };
  const backend = queue.backend as unknown as { addJobToTransaction: AddToTransaction };
  await backend.addJobToTransaction(recorder, jobData, jobId);
  if (!command.startsWith('addStandardJob:') || sent.length !== ADD_JOB_KEYS + ADD_JOB_VALUES)
    throw new HoldfastError('INTERNAL', `BullMQ adds this job with ${command}`);
  return { keys: sent.slice(0, ADD_JOB_KEYS) as string[], values: sent.slice(ADD_JOB_KEYS) };
}
