/**
 * Every key that Holdfast itself keeps in Redis, listed in one place. Scripts spell the names again, after the hash tag that they
 * are given, and a test finds each of them here (lua-keys.test.ts). All of them (and all of BullMQ's) carry the same
 * hash tag, so that any set of them may be used in one script or transaction, also on Redis Cluster; the price is
 * that one deployment lives on one master (docs/decisions/0004-one-slot.md).
 */
export function redisKeys(prefix: string) {
  const p = `{${prefix}}`;
  return {
    /** The hash tag itself; scripts build the keys of records and indexes from it, and BullMQ prefixes its queues with it. */
    prefix: p,
    /** String: one record, see catalog/record.ts. */
    record: (id: string) => `${p}:m:${id}`,
    /** Indexes, see catalog/indexes.ts. Sorted sets: ids by creation time (ms). Every record is in exactly one of the three types. */
    byType: (code: string) => `${p}:index:type:${code}`,
    byCategory: (category: string) => `${p}:index:category:${category}`,
    byTag: (tag: string) => `${p}:index:tag:${tag}`,
    /** Only for statuses other than verified: that one is the rest. */
    byStatus: (code: string) => `${p}:index:status:${code}`,
    /** Ids by a number made of the SHA-256, see sha256Place. */
    bySha256: (bucket: string) => `${p}:index:sha256:${bucket}`,
    /** How all of these begin. */
    index: (name: string) => `${p}:index:${name}`,
    /** Indexes of version 0.1.0. They are removed once those of this version have every record. */
    oldIndex: (name: string) => `${p}:i:${name}`,
    /** Sorted set: id -> ms of the edit that the host does not have yet. */
    unpushed: `${p}:unpushed`,
    /** Sorted set: id -> ms of the deletion, or of when its asset was last seen on the host. Ids in here never come back. */
    tombstones: `${p}:tombstones`,
    /** Counter: the sequence number of the last record created; numbers records for the sweep of a full sync. */
    sequence: `${p}:sequence`,
    /** Counter of changes to records but their creation, so that a snapshot is taken only when there is something new in it. */
    changes: `${p}:changes`,
    /** Sorted set: id -> ms of the last heartbeat of its upload, or half a minute before a refused one is to be removed; and a hash for each. */
    intents: `${p}:intents`,
    intent: (id: string) => `${p}:intent:${id}`,
    /** Hash: who may upload under an Idempotency-Key, and what came of it. `key` is the hash of client and key. */
    claim: (key: string) => `${p}:idem:${key}`,
    /** String: who sweeps intents, unpushed edits and deletions now. */
    sweepLease: `${p}:sweep:lease`,
    /** Sorted set of version 0.1.0: `<resource type>:<public id>` of refused uploads whose bytes still are on the host. They are intents now. */
    refused: `${p}:refused`,
    /** String that ends by itself: what a client was allowed to upload straight to the host under this id. */
    ticket: (id: string) => `${p}:ticket:${id}`,
    /** String that ends by itself: timestamps of a notification of the host that was received, by the hash of its body. */
    notification: (hash: string) => `${p}:notification:${hash}`,
    /** Hash: kind of file (`pdf`, `zip` or the resource type) -> JSON of what the host answered in the place of such a file of ours. */
    blockedDelivery: `${p}:delivery:blocked`,
    /** List that ends by itself: ms of the last notifications whose signature no secret fits, newest first. */
    refusedSignatures: `${p}:notifications:refused`,
    /** String: when this catalog began. Its absence tells that Redis was emptied. */
    epoch: `${p}:born`,
    /** String: the media host to which the catalog belongs, see HostIdentity. */
    host: `${p}:host`,
    /** String: written before each durability barrier, and nothing else. */
    barrier: `${p}:barrier`,
    /** Strings under this name are written and removed by health checks. */
    probe: (nonce: string) => `${p}:probe:${nonce}`,
    /** Sync: the lease of the one running run (its token), state of the run, the last runs, watermarks. */
    syncLease: `${p}:sync:lease`,
    syncRun: `${p}:sync:run`,
    syncRuns: `${p}:sync:runs`,
    syncState: `${p}:sync:state`,
    /** Bitmap by sequence number of the records that the current full run has seen. */
    syncSeen: (runId: string) => `${p}:sync:seen:${runId}`,
    /** Sorted sets: what the last full run found different, and what a run under way has found so far; see sync/drift-report.ts. */
    syncDrift: `${p}:sync:drift`,
    syncDriftOf: (runId: string) => `${p}:sync:drift:${runId}`,
    /** Sorted set: worker id -> ms until which it is alive. */
    workers: `${p}:workers`,
    /** A key of BullMQ's own, as it spells them: a list, sorted set or hash of one of the queues. */
    queue: (name: string, part: QueuePart) => `${p}:${name}:${part}`,
    /** How many writes a client has sent since the first in this minute; expires with it. */
    rate: (client: string) => `${p}:rate:${client}`,
  } as const;
}

/** `marker` wakes workers, `meta` holds options, `repeat` the schedulers; the others hold jobs. */
export type QueuePart =
  'wait' | 'active' | 'delayed' | 'prioritized' | 'failed' | 'marker' | 'meta' | 'repeat';

/** The names for one prefix. No key of ours is used that they do not include. */
export type RedisKeys = ReturnType<typeof redisKeys>;
