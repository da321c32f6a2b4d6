import type { ServerResponse } from 'node:http';
import { ApiError } from '../api-error.js';

/** Sends JSON with its length, so that a cut answer is recognisable as one. */
export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  if (res.headersSent || res.destroyed) return;
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  res.end(text);
}

/** Sends a page as a proxy in front of the host would. */
export function sendHtml(res: ServerResponse, status: number, title: string): void {
  if (res.headersSent || res.destroyed) return;
  const text = `<html><head><title>${status} ${title}</title></head><body><h1>${status} ${title}</h1></body></html>`;
  res.writeHead(status, { 'Content-Type': 'text/html', 'Content-Length': Buffer.byteLength(text) });
  res.end(text);
}

/** Sends an error in the API's own shape; 413 comes from the proxy in front of it and ends the connection. */
export function sendError(res: ServerResponse, error: unknown): void {
  const known = error instanceof ApiError ? error : new ApiError(500, 'General Error');
  if (known.status === 413) {
    res.shouldKeepAlive = false;
    sendHtml(res, 413, known.message);
    return;
  }
  if (!res.headersSent) res.setHeader('X-Cld-Error', reasonOf(error).replaceAll(/[^\x20-\x7e]/g, '?'));
  sendJson(res, known.status, { error: { message: known.message } });
}

/** The header tells what went wrong inside the emulator too; the body says what the real host would. */
function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
