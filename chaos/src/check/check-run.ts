import { checkDeletions } from './check-deletions.js';
import { checkHost } from './check-host.js';
import { checkReads } from './check-reads.js';
import { checkUploads } from './check-uploads.js';
import type { RunResult, Violation } from './final-state.js';

/** From the end of the faults to rest (docs/chaos.md). */
const CONVERGE_WITHIN_MS = 60_000;

/** Everything about a run that breaks a promise; none when all were kept. */
export function checkRun(run: RunResult): Violation[] {
  return [
    ...checkUploads(run),
    ...checkDeletions(run),
    ...checkHost(run),
    ...checkReads(run),
    ...run.goneAfterKill.map((id): Violation => ({
      kind: 'untruthful level',
      about: id,
      detail: 'was said to be on the disk, and is gone after kill -9 of Redis',
    })),
    ...checkCourse(run),
  ];
}

function checkCourse({ convergedMs, unsettled, planned, injected, crashes }: RunResult): Violation[] {
  const found: Violation[] = crashes.map((detail) => ({ kind: 'crashed', about: '', detail }));
  if (convergedMs === null || convergedMs > CONVERGE_WITHIN_MS) {
    const after = convergedMs === null ? 'never' : `after ${String(Math.round(convergedMs / 1_000))} s`;
    found.push({ kind: 'not converged', about: '', detail: `${after}; ${unsettled}` });
  }
  if (injected < planned)
    found.push({ kind: 'too few faults', about: '', detail: `${String(injected)} of ${String(planned)}` });
  return found;
}
