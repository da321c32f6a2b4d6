import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** A notification as it arrived. */
export interface ReceivedWebhook {
  /** Exact bytes of the body: the signature covers them. */
  raw: string;
  body: Record<string, unknown> & { notification_type: string; request_id: string };
  timestamp: string;
  signature: string;
}

/** A server that collects notifications; closed when the test ends. `answers` are its first statuses, then 200. */
export async function webhookReceiver(answers: number[] = []) {
  const received: ReceivedWebhook[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => {
      const raw = Buffer.concat(chunks).toString();
      received.push({
        raw,
        body: JSON.parse(raw) as ReceivedWebhook['body'],
        timestamp: String(req.headers['x-cld-timestamp']),
        signature: String(req.headers['x-cld-signature']),
      });
      res.writeHead(answers.shift() ?? 200).end();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook` };
}
