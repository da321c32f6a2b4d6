import type { RedisProfileName } from '@holdfast/foundation/config';

/** What we do differently for one kind of Redis. */
export interface RedisProfile {
  name: RedisProfileName;
  /**
   * How far reads may be behind writes of another connection; 0 = never. What is read within this time and differs from
   * what was written is read again before anything is concluded from it.
   */
  readsLagMs: number;
  /**
   * How long a client's request waits for one command. A script that reads keys which the server keeps on disk takes longer
   * than one over memory. Before a byte of an upload is read nobody waits so long, see `promptly`.
   */
  requestTimeoutMs: number;
  /** How long work in the background waits for one command. */
  backgroundTimeoutMs: number;
  /** Largest command that the server takes, and largest reply that it gives. */
  requestBytes: number;
  /** So many records at most go into one command: this bounds replies, whose size is not known before, and the time of scripts. */
  recordsAtOnce: number;
  /** A health result is shared for so long while nothing happens. */
  healthFreshMs: number;
  /** What the server says of itself (INFO, CONFIG) counts for so long at least. Each new connection asks again. */
  factsFreshMs: number;
  /**
   * From a verified upload to its sync where AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS says nothing; others that come meanwhile share it. A
   * schedule that runs as often serves them.
   */
  uploadSyncMs: number;
  /** Between two looks of the watch while nothing is under way. */
  watchIntervalMs: number;
  /**
   * Whether an idle worker takes one job and looks for others only after it. That saves four commands for each job that comes alone, and
   * costs throughput where the queue runs empty time and again.
   */
  takesOneJob: boolean;
}

/** The one table of such differences. */
export const redisProfiles: Record<RedisProfileName, RedisProfile> = {
  standard: {
    name: 'standard',
    readsLagMs: 0,
    requestTimeoutMs: 600,
    backgroundTimeoutMs: 5_000,
    requestBytes: 256 * 1024 * 1024,
    recordsAtOnce: 10_000,
    healthFreshMs: 500,
    factsFreshMs: 0,
    uploadSyncMs: 2_000,
    watchIntervalMs: 20_000,
    takesOneJob: false,
  },
  upstash: {
    name: 'upstash',
    readsLagMs: 2_000,
    requestTimeoutMs: 2_000,
    backgroundTimeoutMs: 12_000,
    requestBytes: 8_000_000,
    recordsAtOnce: 100,
    healthFreshMs: 60_000,
    factsFreshMs: 15 * 60_000,
    uploadSyncMs: 15 * 60_000,
    watchIntervalMs: 30_000,
    takesOneJob: true,
  },
};

/** The profile of these settings; `standard` where only the server itself could tell. */
export function profileOf(settings: { profile: RedisProfileName | null }): RedisProfile {
  return redisProfiles[settings.profile ?? 'standard'];
}
