import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import { onePixelPng } from '@holdfast/shared/testing';
import { attacks as table, COPIES, type Attack } from '../attacks/attacks.js';
import type { Figure } from '../figure.js';
import { round } from '../report.js';
import type { MeasureRow } from '../row.js';
import type { CleanUp } from '../stage/clean-up.js';
import { fillCatalog } from '../stage/fill-catalog.js';
import { startHoldfast, type Holdfast } from '../stage/holdfast.js';
import { inParallel } from '../stage/in-parallel.js';
import { processorMs } from '../stage/processor-time.js';
import { forgetPeak, residentMemory } from '../stage/resident-memory.js';
import { seedHost } from '../stage/seed-host.js';
import { uploadClient } from '../stage/upload-client.js';
import { until } from '../until.js';

const CLIENTS = 8;
const FILE_BYTES = 100_000;
const COPY_COUNT = 1_000;
/** As many as a drift report keeps of a kind. */
const DRIFT_ITEMS = 10_000;
/** An orchestrator asks every second or less often; more than that is no probe (`PAUSE_MS` of the API). */
const PROBE_EVERY_MS = 300;
const BACK_WITHIN_MS = 60_000;
const BACK_TO_MB = 60;

const secrets = { read: 'reader-of-attacks', write: 'writer-of-attacks', admin: 'admin-of-attacks' } as const;
const honestSecret = (client: number): string => `honest-client-${String(client)}`;
const API_KEYS = [
  ...Object.entries(secrets).map(([role, secret]) => `${role}:${role}:${secret}`),
  ...Array.from({ length: CLIENTS }, (_, client) => `honest${String(client)}:write:${honestSecret(client)}`),
].join(',');

interface Turn {
  uploadsPerSecond: number;
  refused: number;
  /** Slowest answer of `/livez` to one more client. */
  livezMs: number;
  /** Of one processor, what the API used. */
  apiShare: number;
}

/**
 * One client after the other that takes what it can, beside eight that upload, each with a key of its own. Uploads beside it are
 * compared with the turns before and after. All of it on one machine: what the attacking client itself costs is in the ratio, too.
 * ATTACKS, words with commas between them, measures only the attacks whose names have one of them.
 */
export const attacks: MeasureRow = async ({ quick }, cleanUp) => {
  const words = process.env['ATTACKS']?.split(',') ?? [''];
  const chosen = table.filter(({ name }) => words.some((word) => name.includes(word)));
  const figures: Figure[] = [];
  for (const host of ['cloudinary', 'local'] as const) {
    const here = chosen.filter((attack) => attack.host === host);
    if (here.length === 0) continue;
    const holdfast = await startTarget(host, quick ? 10_000 : 100_000, cleanUp);
    const turnMs = quick ? 3_000 : 5_000;
    await takeTurn(holdfast, turnMs);
    let before = await takeTurn(holdfast, turnMs);
    for (const attack of here) {
      const played = await play(holdfast, attack, turnMs, cleanUp);
      const after = await takeTurn(holdfast, turnMs);
      figures.push(...figuresOf(attack, played, before, after));
      before = after;
    }
    await holdfast.api.stop();
    await holdfast.worker.stop();
  }
  return figures;
};

/** A deployment with keys, and a catalog that has what the attacks look for. */
async function startTarget(host: Attack['host'], records: number, cleanUp: CleanUp): Promise<Holdfast> {
  const holdfast = await startHoldfast(cleanUp, {
    API_KEYS,
    AUTO_SYNC_INTERVAL_MINUTES: '0',
    AUTO_SYNC_AFTER_UPLOAD_DELAY_SECONDS: '3600',
    ...(host === 'local' && { CLOUDINARY_URL: '' }),
  });
  const { url, emulator, redis } = holdfast;
  if (host === 'cloudinary') {
    await seedHost(emulator, DRIFT_ITEMS);
    const sync = await fetch(`${url}/api/media/sync-cloudinary?mode=full`, {
      method: 'POST',
      headers: { 'X-API-Key': secrets.admin, Prefer: 'wait=120' },
    });
    if (sync.status !== 200) throw new Error(`the full sync answered ${String(sync.status)}`);
    await fillCatalog(redis, records);
  }
  const form = (): FormData => {
    const fields = new FormData();
    fields.set('description', 'd'.repeat(5_000));
    fields.set('category', COPIES);
    fields.set('file', new Blob([new Uint8Array(onePixelPng)]), 'copy.png');
    return fields;
  };
  const headers = { 'X-API-Key': secrets.write };
  // On a busy machine Redis may take longer than a request waits for it.
  const uploadCopy = async (): Promise<boolean> => {
    const answer = await fetch(`${url}/api/media/upload`, { method: 'POST', headers, body: form() });
    await answer.arrayBuffer();
    return answer.status === 202;
  };
  await inParallel(COPY_COUNT, 8, () => until('a copy', 30_000, 100, uploadCopy));
  await holdfast.settle();
  return holdfast;
}

/** Eight clients upload without a pause, and another one asks for `/livez`. */
async function takeTurn({ url, api }: Holdfast, ms: number): Promise<Turn> {
  const usedBefore = await processorMs([api.pid]);
  const start = performance.now();
  const isOn = (): boolean => performance.now() - start < ms;
  let [uploads, refused, livezMs] = [0, 0, 0];
  const upload = async (_: unknown, client: number): Promise<void> => {
    const headers = { 'X-API-Key': honestSecret(client) };
    const connection = uploadClient(`${url}/api/media/upload`, FILE_BYTES, headers);
    while (isOn()) {
      await connection.upload().then(
        () => (uploads += 1),
        () => pause(20, (refused += 1)),
      );
    }
    connection.close();
  };
  const look = async (): Promise<void> => {
    while (isOn()) {
      const asked = performance.now();
      await fetch(`${url}/livez`)
        .then((answer) => answer.arrayBuffer())
        .catch(() => undefined);
      livezMs = Math.max(livezMs, performance.now() - asked);
      await pause(PROBE_EVERY_MS);
    }
  };
  await Promise.all([look(), ...Array.from({ length: CLIENTS }, upload)]);
  const tookMs = performance.now() - start;
  const apiShare = ((await processorMs([api.pid])) - usedBefore) / tookMs;
  return { uploadsPerSecond: (uploads / tookMs) * 1_000, refused, livezMs, apiShare };
}

interface Played extends Turn {
  beforeMb: number;
  peakMb: number;
  afterMb: number;
  afterSeconds: number;
  commandsPerSecond: number;
  /** Of one processor, what the attacking process itself used. */
  ownShare: number;
  answers: Record<string, number>;
}

async function play(holdfast: Holdfast, attack: Attack, turnMs: number, cleanUp: CleanUp): Promise<Played> {
  const { api, redis, url } = holdfast;
  await holdfast.settle();
  const { nowMb: beforeMb } = await residentMemory(api.pid);
  await forgetPeak(api.pid);
  const secret = attack.role === null ? '' : secrets[attack.role];
  const child = fork(fileURLToPath(new URL('../programs/attacker.js', import.meta.url)), [
    String(table.indexOf(attack)),
    new URL(url).port,
    secret,
  ]);
  const exited = once(child, 'exit');
  cleanUp.defer(async () => void child.kill('SIGKILL'));
  // Its connections open while the others upload: the first seconds count.
  const turn = await takeTurn(holdfast, turnMs);
  const ownShare = (await processorMs([child.pid ?? 0])) / turnMs;
  // What the others' uploads left to do.
  await pause(1_000);
  const commandsPerSecond = await countForASecond(redis);
  child.send('stop');
  const [answers] = (await once(child, 'message')) as [Record<string, number>];
  await exited;

  const { peakMb } = await residentMemory(api.pid);
  const ended = performance.now();
  let afterMb = Infinity;
  const isBack = async (): Promise<boolean> => {
    afterMb = (await residentMemory(api.pid)).nowMb;
    return afterMb < beforeMb + BACK_TO_MB;
  };
  await until('memory', BACK_WITHIN_MS, 500, isBack).catch(() => undefined);
  const afterSeconds = (performance.now() - ended) / 1_000;
  return { ...turn, beforeMb, peakMb, afterMb, afterSeconds, commandsPerSecond, ownShare, answers };
}

async function countForASecond({ client }: Holdfast['redis']): Promise<number> {
  const processed = async (): Promise<number> =>
    Number(/^total_commands_processed:(\d+)/m.exec(await client.info('stats'))?.[1]);
  const before = await processed();
  await pause(1_000);
  return (await processed()) - before - 1;
}

function figuresOf({ name, role }: Attack, played: Played, before: Turn, after: Turn): Figure[] {
  const calm = (before.uploadsPerSecond + after.uploadsPerSecond) / 2;
  const what = `${name}, ${role === null ? 'no key' : `${role} key`}`;
  const { uploadsPerSecond, refused, livezMs, apiShare, commandsPerSecond, ownShare, answers } = played;
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const { beforeMb, peakMb, afterMb, afterSeconds } = played;
  process.stderr.write(`${what}: attacker's answers ${JSON.stringify(answers)}\n`);
  const refusals = refused === 0 ? '' : `, ${String(refused)} refused`;
  return [
    {
      what,
      ours: `${round(uploadsPerSecond)} uploads/s${refusals}, /livez ${round(livezMs)} ms, ${String(commandsPerSecond)} commands/s, processor: API ${percent(apiShare)}, attacker ${percent(ownShare)}`,
      against: `${round(calm)} uploads/s, /livez ${round(Math.max(before.livezMs, after.livezMs))} ms, API ${percent((before.apiShare + after.apiShare) / 2)}`,
      value: uploadsPerSecond / calm,
      unit: 'x',
      spread: null,
      target: { atLeast: 0.5 },
    },
    {
      what: '  memory of the API, and above what it was when it is back or a minute later',
      ours: `${round(peakMb)} MB, ${round(afterMb)} MB after ${afterSeconds.toFixed(0)} s`,
      against: `${round(beforeMb)} MB`,
      value: afterMb - beforeMb,
      unit: 'MB',
      spread: null,
      target: { atMost: BACK_TO_MB },
    },
  ];
}
