/** Everything that knows BullMQ's own scripts: adding jobs in the same step as something else. */
import { Job, type JobsOptions, type Queue } from 'bullmq';
import { addStandardJob } from 'bullmq/dist/cjs/scripts/addStandardJob-9.js';
import { HoldfastError } from '@holdfast/foundation/errors';
import { defineScript } from '../redis/index.js';

/** How many keys that script has, and how many values follow them. */
export const ADD_JOB_KEYS = addStandardJob.keys;
export const ADD_JOB_VALUES = 3;

/**
 * Lua for scripts that add jobs in the same step as something else: `add_job(keys, arguments)` is the script with which
 * BullMQ itself adds a job that may start at once, unchanged, as a function. Its parameters stand for KEYS and ARGV of that
 * script; what they must be, `JobInsert` says.
 */
export const addJobScript = /* lua */ `
local function add_job(KEYS, ARGV)
${addStandardJob.content}
end
`;

/** One job as BullMQ's script adds it: the keys that it touches and its arguments, in BullMQ's own order and encoding. */
export interface JobInsert {
  keys: readonly string[];
  /** Texts, and what BullMQ encodes as msgpack. */
  values: readonly (string | Buffer)[];
}

/** As ARGV of a script: its keys, then its values. */
export function argumentsOf({ keys, values }: JobInsert): (string | Buffer)[] {
  return [...keys, ...values];
}

/** ARGV: `argumentsOf` each job. Adds all of them. */
export const addJobsScript = defineScript(`${addJobScript}
for job = 1, #ARGV, ${String(ADD_JOB_KEYS + ADD_JOB_VALUES)} do
  local values = job + ${String(ADD_JOB_KEYS)}
  add_job({ unpack(ARGV, job, values - 1) }, { unpack(ARGV, values, values + ${String(ADD_JOB_VALUES - 1)}) })
end
`);

type Sent = (string | Buffer)[];

/** What BullMQ calls when it adds a job to a transaction. */
type AddToTransaction = (
  client: { runCommand(name: string, args: Sent): number },
  ...rest: unknown[]
) => Promise<unknown>;

/**
 * What BullMQ would send to add this job, without sending it: for scripts that add the job themselves, in the same step as
 * something else (`addJobScript`). BullMQ encodes it, so that a worker finds what it expects. For jobs that may start at
 * once and have no parent; throws INTERNAL for others, which BullMQ adds with other scripts.
 */
export async function insertOf(
  queue: Queue,
  name: string,
  data: unknown,
  options: JobsOptions,
): Promise<JobInsert> {
  let command = '';
  let sent: Sent = [];
  const recorder = {
    runCommand: (given: string, args: Sent): number => {
      command = given;
      sent = args;
      return 0;
    },
  };
  const backend = queue.backend as unknown as { addJobToTransaction: AddToTransaction };
  const { jobData, jobId } = new Job(queue, name, data, options, options.jobId).toFlowEntry();
  await backend.addJobToTransaction(recorder, jobData, jobId);
  if (!command.startsWith('addStandardJob:') || sent.length !== ADD_JOB_KEYS + ADD_JOB_VALUES)
    throw new HoldfastError('INTERNAL', `BullMQ adds this job with ${command}`);
  return { keys: sent.slice(0, ADD_JOB_KEYS) as string[], values: sent.slice(ADD_JOB_KEYS) };
}

/**
 * Lua for scripts that decide on new uploads: `backlog(p)` counts the jobs that wait or are delayed, `p` being the hash
 * tag before all keys. An upload has two.
 */
export const backlogScript = /* lua */ `
local function backlog(p)
  local jobs = 0
  for _, queue in ipairs({ 'save', 'verify' }) do
    jobs = jobs + redis.call('LLEN', p .. ':' .. queue .. ':wait') + redis.call('ZCARD', p .. ':' .. queue .. ':delayed')
  end
  return jobs
end
`;
