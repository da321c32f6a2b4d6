import { performance } from 'node:perf_hooks';

/** The clocks of a fleet may differ by a minute: what is reckoned by them may be as far off. */
export const CLOCKS_DIFFER_MS = 60_000;

/** Tells at each call whether this process's clock was set back since the one before, by more than clocks may differ. */
export function createClockSetBack(
  wallMs: () => number = () => Date.now(),
  steadyMs: () => number = () => performance.now(),
): () => boolean {
  let ahead = wallMs() - steadyMs();
  return () => {
    const before = ahead;
    ahead = wallMs() - steadyMs();
    return before - ahead > CLOCKS_DIFFER_MS;
  };
}
