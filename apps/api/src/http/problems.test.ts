import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express, { type RequestHandler } from 'express';
import { expect, it, onTestFinished } from 'vitest';
import { silentLogger } from '@holdfast/foundation/logging';
import { errorHandler } from './problems.js';
import { anonymous, requestContext } from './request-context.js';

async function codeOf(handle: RequestHandler, body?: string): Promise<unknown> {
  const app = express().use(
    requestContext(silentLogger, () => anonymous),
    handle,
    errorHandler,
  );
  const server = app.listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const headers = { 'Content-Type': 'application/json' };
  const request = body === undefined ? {} : { method: 'POST', headers, body };
  const answer = await fetch(`http://127.0.0.1:${String(port)}/`, request);
  return ((await answer.json()) as { code: string }).code;
}

it('says that a file is not there, which Express keeps to itself', async () => {
  expect(await codeOf((_req, res) => res.sendFile('/no/such/file'))).toBe('NOT_FOUND');
});

it('goes by the status of the errors of parsers, and exposes no others', async () => {
  expect(await codeOf(express.json(), '{')).toBe('MALFORMED_BODY');
  expect(await codeOf(express.json({ limit: 1 }), '{}')).toBe('BODY_TOO_LARGE');
  const hidden = Object.assign(new Error('hidden'), { status: 400, expose: false });
  expect(await codeOf((_req, _res, next) => next(hidden))).toBe('INTERNAL');
});
