import { randomUUID } from 'node:crypto';
import type { Account, Settings } from '../settings.js';
import { sendWebhook } from './send-webhook.js';
import type { WebhookFault } from './webhook-fault.js';

/** One try to deliver a notification. */
export interface Delivery {
  target: string;
  event: string;
  requestId: string;
  /** 1 for the first try. */
  attempt: number;
  /** Status of the answer; 0 for none. */
  status: number;
}

export interface Webhooks {
  /** Sends a notification to all targets and to the address the call gave ('' = none). */
  emit(event: string, body: Record<string, unknown>, notificationUrl: string): void;
  addFault(fault: WebhookFault): void;
  clearFaults(): void;
  /** The last thousand tries, oldest first. */
  deliveries(): Delivery[];
  /** Notifications that are still to be delivered or repeated. */
  pending(): number;
  /** Gives up everything that is pending. */
  close(): void;
}

const KEPT = 1000;

/** Signed notifications with repeats, as section "Notifications" of Cloudinary's documentation has them. */
export function webhooks(account: Account, settings: Settings, now: () => number): Webhooks {
  const log: Delivery[] = [];
  const timers = new Set<NodeJS.Timeout>();
  let faults: { fault: WebhookFault; hits: number }[] = [];
  let pending = 0;
  let closed = false;

  const later = (ms: number, work: () => void) => {
    if (closed) return;
    const timer = setTimeout(() => {
      timers.delete(timer);
      work();
    }, ms).unref();
    timers.add(timer);
  };

  const deliver = async (target: string, event: string, requestId: string, body: string, attempt: number) => {
    const algorithm = settings.signatureAlgorithm ?? 'sha1';
    const secret = settings.notificationSecret ?? account.apiSecret;
    const status = await sendWebhook(target, body, { secret, algorithm, nowMs: now() });
    log.push({ target, event, requestId, attempt, status });
    if (log.length > KEPT) log.shift();
    const repeatAfter = settings.webhookRetryDelaysMs[attempt - 1];
    if ((status >= 200 && status < 300) || repeatAfter === undefined || closed) {
      pending -= 1;
      return;
    }
    later(repeatAfter, () => void deliver(target, event, requestId, body, attempt + 1));
  };

  const takeFault = (event: string): WebhookFault | null => {
    for (const entry of faults) {
      const count = entry.fault.count === undefined ? 1 : (entry.fault.count ?? Infinity);
      if (entry.hits >= count || (entry.fault.event ?? event) !== event) continue;
      entry.hits += 1;
      return entry.fault;
    }
    return null;
  };

  return {
    emit(event, body, notificationUrl) {
      const targets = [
        ...settings.webhookTargets,
        ...notificationUrl.split('\n').filter((url) => url !== ''),
      ];
      if (targets.length === 0) return;
      const fault = takeFault(event);
      if (fault?.kind === 'drop') return;
      const requestId = randomUUID().replaceAll('-', '');
      const text = JSON.stringify(envelope(event, body, requestId, account.apiKey, now()));
      const copies = fault?.kind === 'duplicate' ? 2 : 1;
      const delayMs = fault?.kind === 'late' || fault?.kind === 'reorder' ? (fault.ms ?? 1000) : 0;
      for (const target of new Set(targets)) {
        for (let copy = 0; copy < copies; copy += 1) {
          pending += 1;
          later(delayMs, () => void deliver(target, event, requestId, text, 1));
        }
      }
    },
    addFault: (fault) => void faults.push({ fault, hits: 0 }),
    clearFaults() {
      faults = [];
    },
    deliveries: () => [...log],
    pending: () => pending,
    close() {
      closed = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      pending = 0;
    },
  };
}

function envelope(
  event: string,
  body: Record<string, unknown>,
  requestId: string,
  apiKey: string,
  nowMs: number,
): Record<string, unknown> {
  const triggeredAt = new Date(nowMs).toISOString();
  return {
    notification_type: event,
    timestamp: `${triggeredAt.slice(0, 19)}+00:00`,
    request_id: requestId,
    ...body,
    notification_context: { triggered_at: triggeredAt, triggered_by: { source: 'api', id: apiKey } },
    signature_key: apiKey,
  };
}
