import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { sign, type SignatureAlgorithm } from '../signature.js';

const TIMEOUT_MS = 10_000;

/** Posts one notification, signed for this moment; resolves with the status, 0 when there was no answer. */
export function sendWebhook(
  target: string,
  body: string,
  key: { secret: string; algorithm: SignatureAlgorithm; nowMs: number },
): Promise<number> {
  const timestamp = String(Math.floor(key.nowMs / 1000));
  const request = target.startsWith('https:') ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const req = request(target, {
      method: 'POST',
      agent: false,
      timeout: TIMEOUT_MS,
      headers: {
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(body),
        'X-Cld-Timestamp': timestamp,
        'X-Cld-Signature': sign(`${body}${timestamp}`, key.secret, key.algorithm),
      },
    });
    req.once('response', (res) => {
      res.resume();
      resolve(res.statusCode ?? 0);
    });
    req.once('timeout', () => req.destroy());
    req.once('error', () => resolve(0));
    req.once('close', () => resolve(0));
    req.end(body);
  });
}
