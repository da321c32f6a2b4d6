import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { createUploadSlots } from './upload-slots.js';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A request of which so many bytes have come. */
function aRequest() {
  const req = new IncomingMessage(new Socket());
  let bytes = 0;
  vi.spyOn(req.socket, 'bytesRead', 'get').mockImplementation(() => bytes);
  return { req, send: (count: number) => (bytes += count) };
}

it('gives up what crawls after ten seconds, and nothing that moves or has come whole', () => {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const slots = createUploadSlots(3);
  const [crawling, moving, whole] = [aRequest(), aRequest(), aRequest()];
  const taken = [crawling, moving, whole].map(({ req }) => slots.take('a', req));
  whole.req.complete = true;
  now = 9_000;
  moving.send(1_000_000);
  expect(slots.take('a', aRequest().req)).toBeNull();
  now = 11_000;
  expect(slots.take('a', aRequest().req)).not.toBeNull();
  expect(taken.map((slot) => slot?.givenUp.aborted)).toEqual([true, false, false]);
  expect(taken[0]?.givenUp.reason).toMatchObject({ code: 'OVERLOADED' });
});
