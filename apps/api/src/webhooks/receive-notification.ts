import { createHash, timingSafeEqual } from 'node:crypto';
import express, { type Request, type Response } from 'express';
import { z } from 'zod';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { HoldfastError } from '@holdfast/foundation/errors';
import { REFRESH_AT_ONCE, refreshJob, type RefreshPayload } from '@holdfast/shared/jobs';
import { resourceTypes } from '@holdfast/shared/media';
import { redisEdge } from '@holdfast/shared/redis';
import type { Dependencies } from '../dependencies.js';
import { parseWithin } from '../http/request-bodies.js';
import { contextOf } from '../http/request-context.js';
import { BAD_SIGNATURES } from '../status/findings.js';

/**
 * `POST /api/media/webhooks/cloudinary`: says yes once the look at the assets is queued. What cannot be queued is answered
 * 503, and the host tries again. Strangers are refused before their body is read, where the headers suffice for that.
 */
export function receiveNotification(deps: Dependencies, { apiSecret, webhookSecrets }: CloudinarySettings) {
  const { queues, host } = deps;
  // The host signs with the secret of one of its keys, which need not be ours.
  const secrets = [apiSecret, ...webhookSecrets];
  const noteRefused = countRefused(deps);
  return async (req: Request, res: Response): Promise<void> => {
    const timestamp = req.get('x-cld-timestamp');
    const signature = req.get('x-cld-signature') ?? '';
    if (timestamp === undefined || algorithmOf(signature) === undefined)
      throw refusal(res, 'X-Cld-Timestamp and X-Cld-Signature are needed');
    if (!isRecent(timestamp, host.hostNow()))
      throw refusal(res, 'the timestamp is too old, or in the future');
    await parseWithin(ARRIVES_WITHIN_MS, parse, req, res);
    const body = req.body as unknown;
    // The very bytes: a signature covers them.
    const raw = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
    if (!isSignedByOne(secrets, raw, timestamp, signature)) {
      noteRefused();
      throw refusal(res);
    }

    const changed = changedAssets(parseBody(raw));
    // First, so that what could not be queued may come again. A repeated look changes nothing.
    if (changed !== null) await queueLooks(queues, hashOf(raw), changed);
    if (!(await isFirstUse(deps, hashOf(raw, timestamp))))
      throw refusal(res, 'this signature was used before');
    const assets = changed?.assets.length ?? 0;
    contextOf(req).log.info('webhook.received', { change: changed?.change ?? 'none', assets });
    res.setHeader('Cache-Control', 'no-store');
    res.status(200).json({ received: true, assets });
  };
}

const hashOf = (raw: Buffer, timestamp = ''): string =>
  createHash('sha256').update(raw).update(timestamp).digest('hex').slice(0, 32);

const ARRIVES_WITHIN_MS = 15_000;

const parse = express.raw({ limit: 1_000_000, type: () => true });

/** A 401 must say what would be accepted (RFC 9110, 15.5.2). No browser knows the scheme, so none asks for a login. */
function refusal(res: Response, detail?: string): HoldfastError {
  res.setHeader('WWW-Authenticate', 'Signature realm="holdfast", headers="X-Cld-Timestamp X-Cld-Signature"');
  return new HoldfastError('INVALID_SIGNATURE', detail);
}

/** A delivery that the host repeats has the same job ids, and the jobs may run twice. */
async function queueLooks(queues: Dependencies['queues'], notification: string, changed: ChangedAssets) {
  const { change, assets } = changed;
  const receivedAt = Date.now();
  for (let part = 0; part * REFRESH_AT_ONCE < assets.length; part += 1) {
    const some = assets.slice(part * REFRESH_AT_ONCE, (part + 1) * REFRESH_AT_ONCE);
    await queues.add(refreshJob, { notification, part, change, receivedAt, assets: some });
  }
}

const objectBody = z.record(z.string(), z.unknown()).catch({});

function parseBody(raw: Buffer): Body {
  try {
    return objectBody.parse(JSON.parse(raw.toString('utf8')));
  } catch (error) {
    throw new HoldfastError('MALFORMED_BODY', 'the body is not JSON', { cause: error });
  }
}

/** A signature is good for so long, and may lead our clock by so much. */
const GOOD_FOR_MS = 2 * 3_600_000;
const AHEAD_MS = 5 * 60_000;

/** Whether the notification says that it was signed not long ago. Whether that is true is for `isSignedByOne` to tell. */
export function isRecent(timestamp: string, nowMs: number): boolean {
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  const ageMs = nowMs - Number(timestamp) * 1_000;
  return ageMs <= GOOD_FOR_MS && ageMs >= -AHEAD_MS;
}

const algorithms: Readonly<Record<number, string>> = { 40: 'sha1', 64: 'sha256' };

/** The algorithm shows in the length; undefined for what can be no signature. */
function algorithmOf(signature: string): string | undefined {
  return /^[0-9a-f]+$/i.test(signature) ? algorithms[signature.length] : undefined;
}

/**
 * Cloudinary's signature is a plain hash of body, timestamp and secret. Every secret is tried, so that the time it takes does
 * not tell which one fits.
 */
export function isSignedByOne(
  secrets: readonly string[],
  body: Buffer,
  timestamp: string,
  signature: string,
): boolean {
  const algorithm = algorithmOf(signature);
  if (algorithm === undefined) return false;
  const given = Buffer.from(signature, 'hex');
  const begun = createHash(algorithm).update(body).update(timestamp);
  const fitting = secrets.filter((secret) => timingSafeEqual(begun.copy().update(secret).digest(), given));
  return fitting.length > 0;
}

/** False where this very signature was used before, by any process. A first use ends the list of refused ones. Throws QUEUE_UNAVAILABLE. */
function isFirstUse({ redis, keys }: Pick<Dependencies, 'redis' | 'keys'>, signed: string): Promise<boolean> {
  return redisEdge('QUEUE_UNAVAILABLE')(async () => {
    const kept = await redis.request.set(keys.notification(signed), '1', 'PX', GOOD_FOR_MS + AHEAD_MS, 'NX');
    if (kept !== null) await redis.request.del(keys.refusedSignatures);
    return kept !== null;
  });
}

const REFUSED_KEPT_MS = 3_600_000;
/** Anybody can send bad signatures: in this time Redis gets no more of them than make the finding WEBHOOK_SIGNATURES. */
const REFUSED_WINDOW_MS = 1_800_000;

/** Notes signatures that no secret fits, for the whole fleet: a list of times, newest first. */
function countRefused({ redis, keys }: Pick<Dependencies, 'redis' | 'keys'>): () => void {
  let refused: number[] = [];
  return () => {
    const now = Date.now();
    refused = refused.filter((at) => at > now - REFUSED_WINDOW_MS);
    if (refused.length >= BAD_SIGNATURES) return;
    refused.push(now);
    const list = keys.refusedSignatures;
    // It is a notice: one that is lost with Redis does no harm.
    redis.request
      .multi()
      .lpush(list, now)
      .ltrim(list, 0, BAD_SIGNATURES - 1)
      .pexpire(list, REFUSED_KEPT_MS)
      .exec()
      .catch(() => undefined);
  };
}

/** What a notification is about, as far as it concerns media. */
export type ChangedAssets = Pick<RefreshPayload, 'change' | 'assets'>;

const asset = z
  .object({
    public_id: z.string().min(1),
    resource_type: z.enum(resourceTypes),
    // Other types of delivery than this one are not synced.
    type: z.literal('upload').default('upload'),
    asset_id: z.string().nullish(),
    version: z.coerce.number().nullish().catch(null),
  })
  .transform(({ public_id: publicId, resource_type: resourceType, asset_id: assetId, version }) => ({
    publicId,
    resourceType,
    assetId: assetId ?? null,
    version: version ?? null,
  }));

type Body = Readonly<Record<string, unknown>>;

/** What an event says of its assets; all other events are ignored, since they concern no record. */
const changeOf = new Map<unknown, ChangedAssets['change']>([
  ['upload', 'uploaded'],
  ['delete', 'deleted'],
  ['rename', 'changed'],
  ['resource_tags_changed', 'changed'],
  ['resource_context_changed', 'changed'],
]);

/** Null for events that do not concern records. Entries that cannot be read are left out: a sync finds what they meant. */
export function changedAssets(body: Body): ChangedAssets | null {
  const change = changeOf.get(body['notification_type']);
  return change === undefined
    ? null
    : { change, assets: assetsOf(body).flatMap((entry) => asset.safeParse(entry).data ?? []) };
}

/** The asset itself, or a list, or an object keyed by public id: the host uses all of these. */
function assetsOf(body: Body): readonly unknown[] {
  const { notification_type: event, resources } = body;
  if (event === 'upload') return [body];
  // The asset keeps its asset id, so its new name leads to its record.
  if (event === 'rename') return [{ ...body, public_id: body['to_public_id'] }];
  if (Array.isArray(resources)) return resources;
  if (typeof resources !== 'object' || resources === null) return [];
  return Object.entries(resources).map(([publicId, entry]) =>
    typeof entry === 'object' && entry !== null ? { public_id: publicId, ...(entry as object) } : null,
  );
}
