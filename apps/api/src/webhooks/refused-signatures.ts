import type { Finding } from '@holdfast/shared/durability';
import { createBackoff } from '@holdfast/foundation/lifecycle';
import { defineScript, type RedisClient, type RedisKeys } from '@holdfast/shared/redis';

/** So many within an hour are more than a stranger's try. */
const TOO_MANY = 10;
const WITHIN_MS = 3_600_000;
/** Anybody can send a bad signature: Redis gets one command for all that come in this time. */
const WRITE_EVERY_MS = 10_000;

/** KEYS: the list. ARGV: ms that it lives, how many it keeps, times. Newest first. */
const noteScript = defineScript(`
for index = 3, #ARGV do redis.call('LPUSH', KEYS[1], ARGV[index]) end
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`);

const tooMany: Finding = {
  code: 'WEBHOOK_SIGNATURES',
  severity: 'notice',
  message: `At least ${String(TOO_MANY)} notifications within an hour were signed with a secret that is not known here. Changes in Cloudinary arrive with the next sync only.`,
  fix: 'Cloudinary signs with the notification key of the account, else with its oldest active API key (console: Settings > API Keys). Put the secret of that key into CLOUDINARY_WEBHOOK_SECRETS and restart the API.',
};

export interface RefusedSignatures {
  /** One more notification whose signature no secret fits. */
  note(): void;
  /** A good one came: what this process has not written yet counts no more. The script that takes it empties the list. */
  forget(): void;
  /** WEBHOOK_SIGNATURES, or null. `written`: what Redis has, in ms. */
  finding(written: readonly number[]): Finding | null;
  /** No call may follow. */
  close(): void;
}

/** Counts the signatures that no secret fits, for the whole fleet. */
export function createRefusedSignatures(
  redis: RedisClient,
  keys: Pick<RedisKeys, 'refusedSignatures'>,
): RefusedSignatures {
  let unwritten: number[] = [];
  let timer: NodeJS.Timeout | undefined;
  const rests = createBackoff();
  const add = (times: readonly number[], afterMs = WRITE_EVERY_MS): void => {
    unwritten = [...times, ...unwritten].toSorted((a, b) => a - b).slice(-TOO_MANY);
    timer ??= setTimeout(() => {
      timer = undefined;
      void write();
    }, afterMs).unref();
  };
  const write = async (): Promise<void> => {
    const times = unwritten;
    unwritten = [];
    if (times.length === 0) return;
    try {
      await noteScript(redis, [keys.refusedSignatures], [WITHIN_MS, TOO_MANY, ...times]);
      rests.reset();
    } catch {
      add(times, Math.max(WRITE_EVERY_MS, rests.nextMs()));
    }
  };
  return {
    note: () => add([Date.now()]),
    forget: () => {
      unwritten = [];
    },
    finding: (written) => {
      const times = [...written, ...unwritten].toSorted((a, b) => b - a);
      const [newest = 0] = times;
      const tenth = times[TOO_MANY - 1] ?? 0;
      return newest - tenth <= WITHIN_MS && Date.now() - newest <= WITHIN_MS ? tooMany : null;
    },
    close: () => clearTimeout(timer),
  };
}
