import type { HostIdentity } from '../media/index.js';
import { redisEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

/** Three looks of the watch: a worker that goes on says so again, one that ended is forgotten. */
const OTHER_LIFE_SECONDS = 90;

/** The media host to which the catalog belongs, kept with it in Redis. Throws CATALOG_UNAVAILABLE. */
export function createCatalogHost(redis: RedisClient, keys: RedisKeys) {
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  const read = async (): Promise<HostIdentity | null> =>
    guarded(async () => (await redis.get(keys.host)) as HostIdentity | null);
  return {
    /** Null while that is not known: catalogs of 0.1.0 did not keep it. */
    read,
    /** The same, and the host that a running worker uses where that is another one. */
    readBoth: (): Promise<{ host: HostIdentity | null; other: HostIdentity | null }> =>
      guarded(async () => {
        const [host = null, other = null] = await redis.mget(keys.host, keys.otherHost);
        return { host: host as HostIdentity | null, other: other as HostIdentity | null };
      }),
    /** Unless the catalog belongs to one already. Answers which it belongs to then. */
    begin: (identity: HostIdentity): Promise<HostIdentity> =>
      guarded(async () => {
        await redis.set(keys.host, identity, 'NX');
        return (await read()) ?? identity;
      }),
    /** From now on it belongs to this one. */
    set: (identity: HostIdentity): Promise<void> =>
      guarded(async () => {
        await redis.set(keys.host, identity);
      }),
    /** A worker that uses this host, which is not that of the catalog, is running. */
    noteOther: (identity: HostIdentity): Promise<void> =>
      guarded(async () => {
        await redis.set(keys.otherHost, identity, 'EX', OTHER_LIFE_SECONDS);
      }),
  };
}

/** What `createCatalogHost` gives. */
export type CatalogHost = ReturnType<typeof createCatalogHost>;
