import { createHash } from 'node:crypto';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { HoldfastError } from '@holdfast/foundation/errors';
import { REFRESH_AT_ONCE, refreshJob, type MediaQueues } from '@holdfast/shared/jobs';
import type { MediaHost } from '@holdfast/shared/media-host';
import { parseWithin } from '../http/request-bodies.js';
import { contextOf } from '../http/request-context.js';
import { changedAssets, type ChangedAssets } from './changed-assets.js';
import type { RefusedSignatures } from './refused-signatures.js';
import type { SeenNotifications } from './seen-notifications.js';
import { isRecent, isSignature, isSignedByOne } from './verify-notification.js';

export interface NotificationDependencies {
  /** The host signs with the secret of one of its keys, which need not be ours. */
  secrets: readonly string[];
  refusedSignatures: Pick<RefusedSignatures, 'note' | 'forget'>;
  seen: SeenNotifications;
  queues: Pick<MediaQueues, 'add'>;
  host: Pick<MediaHost, 'hostNow'>;
}

/**
 * `POST /api/media/webhooks/cloudinary`: says yes once the look at the assets is queued. What cannot be queued is answered
 * 503, and the host tries again. Strangers are refused before their body is read, where the headers suffice for that.
 */
export function receiveNotification(deps: NotificationDependencies): RequestHandler {
  return async (req, res) => {
    const timestamp = req.get('x-cld-timestamp');
    const signature = req.get('x-cld-signature');
    if (timestamp === undefined || signature === undefined)
      throw refusal(res, 'X-Cld-Timestamp and X-Cld-Signature are needed');
    if (!isRecent(timestamp, deps.host.hostNow()))
      throw refusal(res, 'the timestamp is too old, or in the future');
    const raw = await readRawBody(req, res);
    if (!isSignedByOne(deps.secrets, raw, timestamp, signature)) {
      if (isSignature(signature)) deps.refusedSignatures.note();
      throw refusal(res);
    }

    const hash = createHash('sha256').update(raw).digest('hex').slice(0, 32);
    const changed = changedAssets(parseBody(raw));
    const assets = changed?.assets.length ?? 0;
    const taken = await deps.seen.take(hash, timestamp);
    if (taken === 'replayed') throw refusal(res, 'this signature was used before');
    deps.refusedSignatures.forget();
    if (taken === 'busy')
      throw new HoldfastError('OVERLOADED', 'the notification is being received', { retryAfterSeconds: 30 });
    if (taken === 'fresh') {
      await handle(deps, hash, changed);
      // When this is lost the notification may be handled twice, which changes nothing.
      await deps.seen.done(hash, timestamp).catch(() => undefined);
      contextOf(req).log.info('webhook.received', { change: changed?.change ?? 'none', assets });
    }
    res.setHeader('Cache-Control', 'no-store');
    res.status(200).json({ received: true, assets });
  };
}

const LIMIT_BYTES = 1_000_000;
const ARRIVES_WITHIN_MS = 15_000;

const parse = express.raw({ limit: LIMIT_BYTES, type: () => true });

/** The very bytes of the body: a signature covers them. Rejects with REQUEST_TIMEOUT, or as the parser does (problems.ts). */
async function readRawBody(req: Request, res: Response): Promise<Buffer> {
  await parseWithin(ARRIVES_WITHIN_MS, parse, req, res);
  const body = req.body as unknown;
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** A 401 must say what would be accepted (RFC 9110, 15.5.2). No browser knows the scheme, so none asks for a login. */
function refusal(res: Response, detail?: string): HoldfastError {
  res.setHeader('WWW-Authenticate', 'Signature realm="holdfast", headers="X-Cld-Timestamp X-Cld-Signature"');
  return new HoldfastError('INVALID_SIGNATURE', detail);
}

async function handle(
  { queues, seen }: NotificationDependencies,
  notification: string,
  changed: ChangedAssets | null,
): Promise<void> {
  if (changed === null) return;
  const { change, assets } = changed;
  const receivedAt = Date.now();
  try {
    for (let part = 0; part * REFRESH_AT_ONCE < assets.length; part += 1) {
      const some = assets.slice(part * REFRESH_AT_ONCE, (part + 1) * REFRESH_AT_ONCE);
      await queues.add(refreshJob, { notification, part, change, receivedAt, assets: some });
    }
  } catch (error) {
    await seen.forget(notification).catch(() => undefined);
    throw error;
  }
}

function parseBody(raw: Buffer): Record<string, unknown> {
  let body: unknown;
  try {
    body = JSON.parse(raw.toString('utf8'));
  } catch (error) {
    throw new HoldfastError('MALFORMED_BODY', 'the body is not JSON', { cause: error });
  }
  return typeof body === 'object' && body !== null ? { ...body } : {};
}
