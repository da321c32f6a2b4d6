import { setTimeout as pause } from 'node:timers/promises';
import { openApi } from '@holdfast/api/api-service';
import { readSettings, type Environment } from '@holdfast/foundation/config';
import { isJobName, jobs, type JobName, type JobPayload } from '@holdfast/shared/jobs';
import { silentLogger } from '@holdfast/foundation/logging';
import { freePort } from '@holdfast/shared/testing';
import { openDependencies, type Dependencies } from '@holdfast/worker/dependencies';
import { createHandlers } from '@holdfast/worker/worker-process';

/** The outcome of an operation: done, refused (nothing may have changed), or unknown to its caller. */
export type Told = 'done' | 'refused' | 'unknown';

export interface Answer {
  told: Told;
  /** 0 where none came. */
  status: number;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of any route
  body: any;
}

/** An API and the job handlers of a worker, over connections of their own. No job runs by itself. */
export interface Actor {
  deps: Dependencies;
  call(method: string, path: string, init?: RequestInit): Promise<Answer>;
  /** Runs the handler of a job once, as a worker would. `refused` where it hands the job back. */
  runJob<Name extends JobName>(name: Name, payload: JobPayload<Name>): Promise<Told>;
  /** Runs every job that waits in the queues, due or not, until none is left; answers how many ran. */
  drain(): Promise<number>;
  close(): Promise<void>;
}

const JOB_WITHIN_MS = 30_000;
const ANSWER_WITHIN_MS = 60_000;
const DRAIN_ROUNDS = 30;

export async function openActor(env: Environment): Promise<Actor> {
  const port = await freePort();
  const settings = readSettings({ ...env, PORT: String(port) });
  const deps = await openDependencies(settings, silentLogger);
  const api = await openApi(settings, silentLogger, env);
  await api.start();
  const handlers = createHandlers(deps);
  const runJob = async <Name extends JobName>(name: Name, payload: JobPayload<Name>): Promise<Told> => {
    const signal = AbortSignal.timeout(JOB_WITHIN_MS);
    try {
      await handlers[name](payload, { signal, attempt: 1, log: silentLogger });
      return 'done';
    } catch (error) {
      return error instanceof Error && error.name === 'HandBack' ? 'refused' : 'unknown';
    }
  };
  return {
    deps,
    runJob,
    call: async (method, path, init = {}) => {
      try {
        const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
        const response = await fetch(`http://127.0.0.1:${String(port)}${path}`, { method, signal, ...init });
        const body: unknown = await response.json().catch(() => null);
        const told = response.ok ? 'done' : response.status < 500 ? 'refused' : 'unknown';
        return { told, status: response.status, body };
      } catch {
        return { told: 'unknown', status: 0, body: null };
      }
    },
    drain: async () => {
      let ran = 0;
      for (let round = 0; round < DRAIN_ROUNDS; round += 1) {
        const waiting = await waitingJobs(deps);
        if (waiting.length === 0) return ran;
        for (const job of waiting) {
          const { name } = job;
          if (!isJobName(name)) throw new Error(`there is no job named ${name}`);
          const told = await runJob(name, jobs[name].parse(job.data) as JobPayload<typeof name>);
          // The next round tries what failed once more, as the job's own policy would.
          if (told === 'done' || round === DRAIN_ROUNDS - 1) await job.remove();
          else await pause(50);
          ran += 1;
        }
      }
      throw new Error('the jobs never come to an end');
    },
    close: async () => {
      await api.stop(AbortSignal.timeout(2_000));
      await deps.close();
    },
  };
}

async function waitingJobs({ queues: { queues } }: Dependencies) {
  const found = await Promise.all(
    Object.values(queues).map((queue) => queue.getJobs(['waiting', 'prioritized', 'delayed', 'failed'])),
  );
  return found.flat().filter((job) => job !== undefined);
}
