import type { Job, Processor, WorkerOptions } from 'bullmq';
import { PatientWorker } from '../patient-worker.js';
import type { JobBursts } from './job-bursts.js';

/** A worker that is given jobs which were taken ahead, and gives back those that it cannot start any more. */
export class BurstWorker extends PatientWorker {
  constructor(
    queue: string,
    processor: Processor,
    options: WorkerOptions,
    private readonly bursts: JobBursts,
  ) {
    super(queue, processor, options, bursts.backend);
  }

  /** The loop alone takes jobs, many at once: a job that ends takes none. */
  override processJob(job: Job, token: string): ReturnType<PatientWorker['processJob']> {
    return super.processJob(job, token, () => false);
  }

  /** A job taken ahead is locked by the token with which it was taken, not by the one that BullMQ asks with now. */
  protected override nextJobFromJobData(
    ...[data, jobId, token]: Parameters<PatientWorker['nextJobFromJobData']>
  ): Promise<Job> {
    return super.nextJobFromJobData(data, jobId, this.bursts.tokenOf(jobId ?? '') ?? token);
  }

  protected override async moveToActive(token: string, name?: string): Promise<Job> {
    const job = await super.moveToActive(token, name);
    // Asked before the worker was stopped, answered after it.
    if (this.paused || this.closing !== undefined) await this.giveBack();
    return job;
  }

  override async pause(doNotWaitActive?: boolean): Promise<void> {
    const paused = super.pause(doNotWaitActive);
    await this.giveBack();
    await paused;
  }

  override async close(force?: boolean): Promise<void> {
    const closed = super.close(force);
    await this.giveBack();
    await closed;
  }

  private async giveBack(): Promise<void> {
    for (const { id, token } of this.bursts.unused()) await this.backend.moveJobFromActiveToWait(id, token);
  }
}
