import http from 'node:http';
import https from 'node:https';
import type { HostSettings } from '@holdfast/foundation/config';
import type { Logger } from '@holdfast/foundation/logging';
import type { MediaRecord } from '@holdfast/shared/media';
import type { RedisClient, RedisKeys } from '@holdfast/shared/redis';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const ANSWERS_WITHIN_MS = 10_000;

/**
 * Whether the host delivers what it stores: accounts may refuse kinds of files, and new ones refuse PDF and ZIP. One request for each
 * kind and day, for one byte, to the address that the host itself gave; it is not a call of an API. What is blocked is kept for the fleet.
 */
export function createDeliveryCheck(redis: RedisClient, keys: RedisKeys, host: HostSettings, log: Logger) {
  const nextAt = new Map<string, number>();
  if (host.kind === 'local') return { verified: () => undefined, again: () => Promise.resolve() };

  const ask = async (kind: string, url: string): Promise<void> => {
    const { status, reason } = await requestOneByte(url);
    const isDelivered = status === 200 || status === 206;
    const isBlocked = status === 401 || status === 403;
    nextAt.set(kind, performance.now() + (isDelivered ? DAY_MS : isBlocked ? MINUTE_MS : 10 * MINUTE_MS));
    if (isBlocked) {
      log.warn('delivery.blocked', { kind, status, reason });
      // The API reads `status`.
      await redis.hset(keys.blockedDelivery, kind, JSON.stringify({ status, url, cloud: host.cloudName }));
    } else if (isDelivered || status === 404 || status === 410) await redis.hdel(keys.blockedDelivery, kind);
  };
  const askQuietly = (kind: string, url: string): Promise<void> =>
    ask(kind, url).catch((error: unknown) => log.debug('delivery.unknown', { kind, error }));

  return {
    /** A file was verified: from time to time one of its kind is fetched. Waits for nothing and never fails. */
    verified: ({ source, url, resourceType }: MediaRecord): void => {
      // Others may have put private files there, which need a signature.
      if (source !== 'upload' && source !== 'direct') return;
      const kind = /\.(pdf|zip)$/i.exec(url)?.[1]?.toLowerCase() ?? resourceType;
      const now = performance.now();
      if (now < (nextAt.get(kind) ?? -Infinity)) return;
      nextAt.set(kind, now + MINUTE_MS);
      void askQuietly(kind, url);
    },
    /** Fetches again what was blocked. Never rejects. */
    again: async (): Promise<void> => {
      try {
        for (const [kind, text] of Object.entries(await redis.hgetall(keys.blockedDelivery))) {
          const { url, cloud } = JSON.parse(text) as { url: string; cloud: string };
          if (cloud === host.cloudName) await askQuietly(kind, url);
          else await redis.hdel(keys.blockedDelivery, kind);
        }
      } catch (error) {
        log.debug('delivery.unknown', { error });
      }
    },
  };
}

/** `reason`: Cloudinary's own word for a refusal. Follows no redirect, and reads no body. Without `fetch`, which takes 16 MB. */
function requestOneByte(url: string): Promise<{ status: number; reason: string | undefined }> {
  return new Promise((resolve, reject) => {
    const { get } = url.startsWith('http:') ? http : https;
    const options = {
      agent: false,
      headers: { Range: 'bytes=0-0' },
      signal: AbortSignal.timeout(ANSWERS_WITHIN_MS),
    };
    const request = get(url, options, (response) => {
      const reason = response.headers['x-cld-error'];
      resolve({ status: response.statusCode ?? 0, reason: typeof reason === 'string' ? reason : undefined });
      response.destroy();
    });
    request.on('error', reject);
    // It must not delay the end of the process.
    request.on('socket', (socket) => void socket.unref());
  });
}
