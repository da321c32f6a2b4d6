import type { Job, Processor, WorkerOptions } from 'bullmq';
import { PatientWorker, type Rests } from '../queue-worker/patient-worker.js';
import type { JobBursts } from './job-bursts.js';

/** A worker that is given jobs which were taken ahead, and gives back those that it cannot start any more. */
export class BurstWorker extends PatientWorker {
  constructor(
    queue: string,
    processor: Processor,
    options: WorkerOptions,
    rests: Rests,
    private readonly bursts: JobBursts,
  ) {
    super(queue, processor, options, rests, bursts.backend);
  }

  /** The loop alone takes jobs, many at once: a job that ends takes none. */
  override async processJob(job: Job, token: string): Promise<void | Job> {
    try {
      return await super.processJob(job, token, () => false);
    } finally {
      this.bursts.end();
    }
  }

  /** A job taken ahead is locked by the token with which it was taken, not by the one that BullMQ asks with now. */
  protected override async nextJobFromJobData(
    ...[data, jobId, token]: Parameters<PatientWorker['nextJobFromJobData']>
  ): Promise<Job> {
    const isJob = data !== undefined && data !== null;
    const ownToken = isJob ? this.bursts.begin(jobId ?? '') : undefined;
    const job = await super.nextJobFromJobData(data, jobId, ownToken ?? token);
    if (isJob && isAwaited(job.data)) this.bursts.pace.hurry();
    return job;
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await super.moveToActive(token, name);
    // Asked before the worker was stopped, answered after it.
    if (this.closing !== undefined) await this.giveBack();
    return job;
  }

  override async close(force?: boolean): Promise<void> {
    await Promise.all([super.close(force), this.giveBack()]);
  }

  /** Never rejects: a job that has lost its lock comes back by itself, and must not keep the others. */
  private async giveBack(): Promise<void> {
    // The last one first, since each goes to the head of those that wait.
    for (const { id, token } of this.bursts.unused().toReversed())
      await this.backend.moveJobFromActiveToWait(id, token).catch((error: unknown) => this.report(error));
  }
}

/** Whether a client waits for the end of this job. */
function isAwaited(data: unknown): boolean {
  return typeof data === 'object' && data !== null && 'awaited' in data && data.awaited === true;
}
