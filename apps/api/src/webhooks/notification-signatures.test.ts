import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isRecent, isSignedByOne } from './receive-notification.js';

const body = Buffer.from('{"notification_type":"upload"}');
const timestamp = '1700000000';
const signed = (algorithm: string, text: string | Buffer = body): string =>
  createHash(algorithm).update(text).update(timestamp).update('secret').digest('hex');

describe('the signature of a notification', () => {
  it.each(['sha1', 'sha256'])('is believed with %s over the very bytes of the body', (algorithm) => {
    expect(isSignedByOne(['secret'], body, timestamp, signed(algorithm))).toBe(true);
    expect(isSignedByOne(['secret'], body, timestamp, signed(algorithm).toUpperCase())).toBe(true);
    expect(isSignedByOne(['other'], body, timestamp, signed(algorithm))).toBe(false);
    expect(isSignedByOne(['secret'], Buffer.from(`${body.toString()} `), timestamp, signed(algorithm))).toBe(
      false,
    );
    expect(isSignedByOne(['secret'], body, '1700000001', signed(algorithm))).toBe(false);
  });

  it('is believed with any of the secrets', () => {
    expect(isSignedByOne(['other', 'secret', 'third'], body, timestamp, signed('sha256'))).toBe(true);
    expect(isSignedByOne(['other', 'third'], body, timestamp, signed('sha256'))).toBe(false);
  });

  it.each([
    ['nothing', ''],
    ['another algorithm', signed('sha512')],
    ['a part of it', signed('sha256').slice(1)],
    ['no hex digits', 'z'.repeat(40)],
  ])('is refused when it is %s', (_what, signature) => {
    expect(isSignedByOne(['secret'], body, timestamp, signature)).toBe(false);
  });
});

it.each([
  ['now', 0, true],
  ['just under two hours old', -7_199, true],
  ['over two hours old', -7_201, false],
  ['a little ahead', 299, true],
  ['more than five minutes ahead', 301, false],
])('judges a timestamp that is %s', (_what, seconds, expected) => {
  const nowMs = Number(timestamp) * 1_000;
  expect(isRecent(String(Number(timestamp) + seconds), nowMs)).toBe(expected);
});

it.each(['', 'soon', '-1', '1e9', '1700000000.5', ' 1700000000', '9'.repeat(13)])(
  'rejects %j as a timestamp',
  (text) => {
    expect(isRecent(text, Number(timestamp) * 1_000)).toBe(false);
  },
);
