import { setTimeout as pause } from 'node:timers/promises';
import { createRedisBackend, type BackendFactory, type RedisQueueBackend } from 'bullmq';
import { createTurnBatch } from '@holdfast/shared/batch';
import type { RedisClient, ScriptReply } from '@holdfast/shared/redis';
import { createBurstPace, type BurstPace } from './burst-pace.js';
import { FINISH_KEYS, FINISH_OWN_KEYS, finishJobs } from './finish-jobs-script.js';
import { TAKE_KEYS, takeJobs } from './take-jobs-script.js';

/** Others wait for Redis while a burst is taken: so many for a millisecond. */
const LARGEST_TAKE = 16;

/** What BullMQ sends with one of its scripts: keys, then values. */
type Sent = readonly (string | number | Buffer | undefined)[];

/** A job that is active here, though the worker was not given it yet. */
interface TakenJob {
  id: string;
  /** Locks the job. */
  token: string;
}

/**
 * The bursts of one queue. BullMQ takes and finishes each job with a script of its own, and waits for one job before it takes
 * the next; here those that wait, or end together, share a script. BullMQ's worker goes on as it is: what it asks for is
 * answered from what was taken ahead (docs/decisions/0019-jobs-in-bursts.md).
 */
export interface JobBursts {
  /** For the worker: BullMQ's backend, with these two scripts replaced. */
  backend: BackendFactory<RedisQueueBackend>;
  /** Told of jobs for which somebody waits. */
  pace: Pick<BurstPace, 'hurry'>;
  /** The worker is given this job, which takes a slot. Gives the token that locks it, where it is not the one that BullMQ asked with. */
  begin(jobId: string): string | undefined;
  /** A job that was begun has left its slot. */
  end(): void;
  /** Forgets and gives the jobs that the worker was not given: its caller moves them back to wait. */
  unused(): readonly TakenJob[];
}

/** `slots` tells how many jobs the worker may have at once. */
export function createJobBursts(
  connection: RedisClient,
  slots: () => number,
  pace: BurstPace = createBurstPace(),
): JobBursts {
  let ahead: (TakenJob & { taken: ScriptReply })[] = [];
  const tokens = new Map<string, string>();
  /** What BullMQ's script gave when the last burst had emptied the queue, until the worker was told. */
  let emptyReply: ScriptReply | undefined;
  let begun = 0;

  const known = (): ScriptReply | undefined => {
    const next = ahead.shift();
    if (next !== undefined) {
      tokens.set(next.id, next.token);
      return next.taken;
    }
    const told = emptyReply;
    emptyReply = undefined;
    return told;
  };

  const take = async (sent: Sent): Promise<ScriptReply> => {
    const atOnce = known();
    if (atOnce !== undefined) return atOnce;
    const most = Math.min(Math.max(slots() - begun, 1), LARGEST_TAKE);
    const [keys, values] = split(sent, TAKE_KEYS);
    const reply = await takeJobs(connection, keys, [...values, most]);
    const [token, first, ...rest] = reply as [string, ScriptReply, ...ScriptReply[]];
    pace.took([first, ...rest].filter(isJob).length);
    for (const taken of rest) {
      if (isJob(taken)) ahead.push({ id: taken[1], token, taken });
      else emptyReply = taken;
    }
    return first;
  };

  const finishTogether = createTurnBatch(async (jobs: Sent[]) => {
    const [keys] = split(jobs[0] ?? [], FINISH_KEYS);
    const replies = await finishJobs(connection, keys, jobs.flatMap(ownPart));
    return replies as [ok: number, outcome: ScriptReply][];
  });

  const finish = async (sent: Sent): Promise<ScriptReply> => {
    const [ok, outcome] = await finishTogether(sent);
    if (ok !== 1) throw new Error(String(outcome));
    return outcome;
  };

  return {
    backend: (name, options, connections) => {
      const backend = createRedisBackend(name, options, connections);
      const send = backend.execCommand.bind(backend);
      backend.execCommand = (client, command, sent: Sent): unknown => {
        if (command === 'moveToActive') return take(sent);
        if (command === 'moveToFinished') return finish(sent);
        return send(client, command, [...sent]);
      };
      const wait = backend.waitForJob.bind(backend);
      backend.waitForJob = async (seconds) => {
        // A job that ended meanwhile has the worker believe that nothing waits.
        if (ahead.length > 0) return { member: '0', score: 0 };
        const lullMs = pace.lullMs();
        if (lullMs > 0) await pause(lullMs);
        // Whoever is woken must look: the marker is gone with it.
        emptyReply = undefined;
        return wait(seconds);
      };
      return backend;
    },
    pace,
    begin: (jobId) => {
      begun += 1;
      const token = tokens.get(jobId);
      tokens.delete(jobId);
      return token;
    },
    end: () => {
      begun -= 1;
    },
    unused: () => {
      const unused = ahead;
      ahead = [];
      return unused;
    },
  };
}

/**
 * For a queue whose jobs are taken one at a time, and only when there is a slot. BullMQ leaves its marker behind the last job that it
 * takes: the worker would be woken once more for nothing.
 */
export const takeSingly =
  (connection: RedisClient): BackendFactory<RedisQueueBackend> =>
  (name, options, connections) => {
    const backend = createRedisBackend(name, options, connections);
    const send = backend.execCommand.bind(backend);
    backend.execCommand = (client, command, sent: Sent): unknown => {
      if (command !== 'moveToActive') return send(client, command, [...sent]);
      const [keys, values] = split(sent, TAKE_KEYS);
      return takeJobs(connection, keys, [...values, 1]).then((reply) => (reply as [string, ScriptReply])[1]);
    };
    return backend;
  };

function isJob(reply: ScriptReply): reply is [ScriptReply[], string] {
  return Array.isArray(reply) && Array.isArray(reply[0]);
}

function split(sent: Sent, keys: number): [keys: string[], values: (string | number | Buffer)[]] {
  return [sent.slice(0, keys) as string[], sent.slice(keys).map((value) => value ?? '')];
}

/** What a job does not share with others of its queue. */
function ownPart(sent: Sent): (string | number | Buffer)[] {
  const [keys, values] = split(sent, FINISH_KEYS);
  return [...FINISH_OWN_KEYS.map((key) => keys[key] ?? ''), ...values];
}
