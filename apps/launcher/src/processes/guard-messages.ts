/** One line of JSON on the guard's standard input. */
export type GuardMessage = { add: { role: string; pid: number } } | { remove: number };

/** The guard of a launcher that died gives the API and the worker this long, then Redis its own time. */
export const GUARD_PARTS_MS = 3_000;
export const GUARD_REDIS_MS = 5_000;
