import { afterEach, expect, it, vi } from 'vitest';
import { silentLogger } from '@holdfast/shared/logging';
import { endpoint, oneForAll, type Answer } from './endpoint.js';
import { anonymous } from './request-context.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const raw = {
  params: {},
  query: {},
  body: undefined,
  header: () => undefined,
  accepts: () => false,
  context: { requestId: 'r', client: anonymous, log: silentLogger },
  client: 'address-192.0.2.1',
  gone: new AbortController().signal,
};

it('measures once for all who ask at the same time, and anew for those who come later', async () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const measured: ((answer: Answer) => void)[] = [];
  const served = oneForAll(endpoint({ handle: () => new Promise((resolve) => measured.push(resolve)) }));
  const crowd = Array.from({ length: 60 }, () => served.respond(raw));
  now = 100;
  const late = served.respond(raw);
  for (const [index, resolve] of measured.entries()) resolve({ status: 200 + index });
  expect(new Set((await Promise.all(crowd)).map(({ status }) => status))).toEqual(new Set([200]));
  expect((await late).status).toBe(201);
  void served.respond(raw);
  expect(measured).toHaveLength(3);
});
