import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { workerTimings } from '@holdfast/shared/jobs';

const RUN_AGAIN_MS = 1_000;

/** Blocks as long as it is told to: BullMQ's own limit of 10 s would have an idle worker ask six times a minute. */
export class PatientWorker extends Worker {
  override get maximumBlockTimeout(): number {
    return workerTimings.blockSeconds;
  }

  /** BullMQ's resume() starts the loop and lets go of it: a loop that failed would end the process, or never come back. */
  override async run(): Promise<void> {
    for (;;) {
      try {
        return await super.run();
      } catch (error) {
        if (this.closing !== undefined || this.isRunning()) return;
        this.report(error);
        await pause(RUN_AGAIN_MS);
      }
    }
  }

  /** Tells those who listen for errors of the worker. */
  protected report(error: unknown): void {
    this.emit('error', error instanceof Error ? error : new Error(String(error)));
  }
}
