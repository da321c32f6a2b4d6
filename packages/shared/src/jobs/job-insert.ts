import { Job, type Queue } from 'bullmq';
import type { JobSettings } from '../config/index.js';
import type { JobDefinition } from './define-job.js';
import { jobOptions } from './job-options.js';

/** One job as BullMQ's script adds it: the keys that it touches and its arguments, in BullMQ's own order and encoding. */
export interface JobInsert {
  keys: readonly string[];
  values: readonly (string | Buffer)[];
}

/** What BullMQ calls when it adds a job to a transaction. */
type AddToTransaction = (
  client: { runCommand(name: string, args: (string | Buffer)[]): number },
  ...rest: unknown[]
) => Promise<unknown>;

const KEYS = 9;

/**
 * What BullMQ would send to add this job, without sending it: for scripts that add the job themselves, in the same step as
 * something else (add-job-script.ts). BullMQ encodes it, so that a worker finds what it expects.
 */
export async function insertOf<Payload>(
  queue: Queue,
  definition: JobDefinition<string, Payload>,
  payload: Payload,
  settings: JobSettings,
): Promise<JobInsert> {
  const options = jobOptions(definition, payload, settings);
  const job = new Job(queue, definition.name, payload, options, definition.idFor(payload));
  const { jobData, jobId } = job.toFlowEntry();
  let sent: (string | Buffer)[] = [];
  const recorder = {
    runCommand: (_name: string, args: (string | Buffer)[]): number => {
      sent = args;
      return 0;
    },
  };
  const backend = queue.backend as unknown as { addJobToTransaction: AddToTransaction };
  await backend.addJobToTransaction(recorder, jobData, jobId);
  return { keys: sent.slice(0, KEYS) as string[], values: sent.slice(KEYS) };
}
