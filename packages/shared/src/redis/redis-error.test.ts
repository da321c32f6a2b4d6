import { expect, it } from 'vitest';
import { ReplyError } from 'ioredis';
import { fromRedisError, redisErrorKind, redisRefusal } from './redis-error.js';

const reply = (text: string): Error => new ReplyError(text);
const inScript = (text: string): string =>
  `ERR Error running script (call to f_6d38): @user_script:215: ${text}`;

it.each([
  ['ERR max requests limit exceeded. Limit: 500000, Usage: 500000. See https://upstash.com/docs', 'quota'],
  ['ERR max daily request limit exceeded. Limit: 10000, Usage: 10001.', 'quota'],
  ['ERR max bandwidth limit exceeded', 'quota'],
  ['ERR DB capacity quota exceeded. Threshold: 268435456 bytes, Usage: 274604636 bytes.', 'capacity'],
  ['ERR max concurrent connections exceeded', 'connections'],
  ['ERR max number of clients reached', 'connections'],
  ['ERR max number of clients + cluster connections reached', 'connections'],
  ['ERR max request size exceeded. Limit: 10485760 bytes, Actual: 12009587 bytes', 'request_size'],
  ['ERR max single record size exceeded', 'request_size'],
  ["ERR Command is not available: 'WAITAOF'. See https://upstash.com/docs", 'command'],
  ["ERR unknown command 'WAITAOF', with args beginning with: '1' '0'", 'command'],
  ['ERR unknown command `CONFIG`, with args beginning with: `GET`', 'command'],
  ['ERR Unknown Redis command called from script script: 6d38, on @user_script:1.', 'command'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'memory'],
  ["OOM command not allowed when used memory > 'maxmemory'. script: 6d38, on @user_script:215.", 'memory'],
  [inScript("-OOM command not allowed when used memory > 'maxmemory'."), 'memory'],
  [inScript("@user_script: 215: -OOM command not allowed when used memory > 'maxmemory'."), 'memory'],
  [inScript('Out of memory'), 'memory'],
  [inScript('ERR DB capacity quota exceeded'), 'capacity'],
  ['MISCONF Errors writing to the AOF file: No space left on device', 'disk'],
  ['NOREPLICAS Not enough good replicas to write.', 'replicas'],
  ['ERR the account of this database is suspended', 'unknown'],
])('says why a server refuses: %s', (text, refusal) => {
  expect([redisErrorKind(reply(text)), redisRefusal(reply(text))]).toEqual(['refused', refusal]);
  expect(fromRedisError(reply(text), 'QUEUE_UNAVAILABLE')).toMatchObject({
    code: 'QUEUE_UNAVAILABLE',
    status: 503,
  });
});

it.each([
  'WRONGTYPE Operation against a key holding the wrong kind of value',
  "ERR wrong number of arguments for 'get' command",
  'ERR value is not an integer or out of range script: 6d38, on @user_script:3.',
  'ERR user_script:3: attempt to index a nil value script: 6d38, on @user_script:3.',
  inScript('user_script:215: attempt to index a nil value'),
  'ERR syntax error',
])('calls our own bug by its name: %s', (text) => {
  expect(redisErrorKind(reply(text))).toBe('fatal');
  expect(fromRedisError(reply(text), 'QUEUE_UNAVAILABLE')).toMatchObject({ code: 'INTERNAL' });
});

it.each([
  ["NOPERM User app has no permissions to run the 'config|get' command", 'credentials'],
  ['ERR DB index is out of range', 'credentials'],
  ['ERR SELECT is not allowed in cluster mode', 'credentials'],
  ['ERR This instance has cluster support disabled', 'credentials'],
  ["READONLY You can't write against a read only replica.", 'demoted'],
  [inScript("-READONLY You can't write against a read only replica."), 'demoted'],
  ['LOADING Dragonfly is loading the dataset in memory', 'refused'],
])('does not take other errors for a refusal of a plan: %s', (text, kind) => {
  expect([redisErrorKind(reply(text)), redisRefusal(reply(text))]).toEqual([kind, null]);
});

it.each(['DEPTH_ZERO_SELF_SIGNED_CERT', 'CERT_HAS_EXPIRED', 'ERR_TLS_CERT_ALTNAME_INVALID'])(
  'treats a refused certificate as a matter of settings: %s',
  (code) => {
    expect(redisErrorKind(Object.assign(new Error('no such certificate'), { code }))).toBe('credentials');
  },
);

it('reads in a discarded transaction why it was', () => {
  const aborted = Object.assign(reply('EXECABORT Transaction discarded because of previous errors.'), {
    previousErrors: [reply('ERR max requests limit exceeded')],
  });
  expect(redisRefusal(fromRedisError(aborted, 'CATALOG_UNAVAILABLE'))).toBe('quota');
});

it('asks clients to wait longer where only a plan helps', () => {
  const seconds = (text: string) => fromRedisError(reply(text), 'QUEUE_UNAVAILABLE').retryAfterSeconds;
  expect(seconds('ERR max requests limit exceeded')).toBe(60);
  expect(seconds("OOM command not allowed when used memory > 'maxmemory'.")).toBe(2);
});
