import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUnnamed, makeDataFolder, type Environment, type Settings } from '@holdfast/foundation/config';
import {
  connectionFindings,
  ephemeralDiskFinding,
  probeServer,
  readServerFacts,
  redisOutage,
  serverFindings,
  serverName,
  serverProbes,
  type Finding,
  type ProbeResult,
} from '@holdfast/shared/durability';
import { LOCAL_RESERVE_BYTES } from '@holdfast/shared/media-host';
import type { Logger } from '@holdfast/foundation/logging';
import {
  closeRedis,
  connectionError,
  connectRedis,
  isReadyWithin,
  redisErrorKind,
  redisKeys,
  serverOf,
  type RedisErrorKind,
} from '@holdfast/shared/redis';
import { note, NotRun, wrong, type Check, type Verdict } from './check.js';

/** What the checks of this machine and its Redis share. */
export interface MachineTrial {
  settings: Settings;
  env: Environment;
  runId: string;
  log: Logger;
  /** What the Redis server reports and offers, once it was reached. */
  redis: { findings: readonly Finding[]; results: readonly ProbeResult[] } | null;
}

const CONNECT_MS = 5_000;

/** The assumptions about the place where Holdfast runs. */
export const machineChecks: readonly Check<MachineTrial>[] = [
  {
    name: 'Data folder',
    expected: 'writable, survives a restart',
    fix: 'Set DATA_DIR to a folder on a disk that stays, and let the user of the process write there.',
    try: async ({ settings, env, runId }) => {
      const { dataDir } = settings;
      await makeDataFolder(dataDir);
      const file = join(dataDir, `doctor-${runId}`);
      try {
        await writeFile(file, runId, { flush: true });
      } finally {
        await rm(file, { force: true });
      }
      const { bavail, bsize } = await statfs(dataDir);
      const free = bavail * bsize;
      const found = `${megabytes(free)} free in ${dataDir}`;
      const needsSpace = settings.host.kind === 'local' || !settings.redis.external;
      if (needsSpace && free < LOCAL_RESERVE_BYTES)
        return wrong(found, { means: 'Below 200 MB uploads to the local host are refused (507).' });
      const finding = await ephemeralDiskFinding(settings, env);
      return finding === null ? found : fromFindings(found, [finding]);
    },
  },
  {
    name: 'API keys',
    expected: 'at least one',
    fix: 'Set API_KEYS, for example web:write:<a long random secret>.',
    try: ({ settings }) => {
      const { keys } = settings.access;
      if (keys.length > 0) return keys.map(({ name, role }) => `${name} (${role})`).join(', ');
      return note('none', `Everyone who reaches ${settings.http.host} may upload, edit and delete.`);
    },
  },
  {
    name: 'Redis',
    expected: 'reachable',
    try: async (trial) => {
      const { settings, log } = trial;
      if (isUnnamed(settings.redis)) throw new NotRun('none is configured, and npm start is not running');
      const client = connectRedis(settings.redis.connection, 'background', log);
      try {
        if (!(await isReadyWithin(client, CONNECT_MS))) {
          const { why, fix } = redisOutage(settings.redis, connectionError(client));
          return wrong(`cannot be reached: ${why}`, { fix });
        }
        const askedAt = performance.now();
        const server = serverOf(client, redisKeys(settings.redis.prefix).barrier);
        const facts = await readServerFacts(server);
        const took = Math.round((performance.now() - askedAt) / 2);
        const results = await probeServer(server, settings.redis, facts);
        trial.redis = {
          findings: serverFindings({ facts, results }, settings.durability),
          results,
        };
        const kind = settings.redis.storageType === 'Redis' ? '' : ` (${settings.redis.storageType})`;
        const found = `${serverName(facts)}${kind}, ${String(took)} ms an answer`;
        const [unverified] = connectionFindings(settings.redis);
        return unverified === undefined ? found : fromFindings(found, [unverified]);
      } finally {
        await closeRedis(client);
      }
    },
  },
  {
    name: 'Redis keeps data',
    expected: 'every write on disk, no eviction',
    try: ({ redis }) => {
      if (redis === null) throw new NotRun('Redis was not reached');
      return redis.findings.length === 0 ? 'as expected' : fromFindings('', redis.findings);
    },
  },
  {
    name: 'Notifications',
    expected: 'signed with a secret we know',
    try: ({ settings: { host, http } }) => {
      if (host.kind === 'local') throw new NotRun('the local host sends none');
      const more = host.webhookSecrets.length;
      const known = `known: the API secret${more === 0 ? '' : ` and ${String(more)} more`}`;
      return http.publicUrl === undefined
        ? {
            severity: 'skipped',
            found: 'not tried: PUBLIC_URL is not set',
            means: 'Without notifications the next sync brings changes in.',
          }
        : {
            severity: 'skipped',
            found: `not tried; ${known}`,
            means: `To try them, add ${http.publicUrl}/api/media/webhooks/cloudinary in the console (docs/webhooks.md), edit a tag there, and see whether it shows here within seconds.`,
          };
    },
  },
];

/** What the server offers, tried once for all rows: the same table as at each start. */
export const redisChecks: readonly Check<MachineTrial>[] = serverProbes.map((probe) => ({
  name: probe.name,
  expected: probe.needed ? 'works' : 'works, or is not needed',
  means: probe.means,
  fix: probe.fix,
  try: ({ redis }) => {
    const result = redis?.results.find((one) => one.probe === probe);
    if (redis === null || result === undefined) throw new NotRun('Redis was not reached');
    const { outcome, said } = result;
    if (outcome === 'there') return 'works';
    if (!probe.needed && outcome === 'refused') throw new NotRun(`refused for now: ${said}`);
    if (!probe.needed) return note(said, probe.means);
    if (outcome === 'lacking') return wrong(said);
    // One fault of the server shows in many rows, and is explained in one of them.
    const alike = redis.results.filter((one) => one.outcome !== 'there' && one.said === said);
    const first = alike.find((one) => one.outcome === 'lacking') ?? alike[0];
    if (first !== undefined && first !== result) throw new NotRun(`as for "${first.probe.name}"`);
    const kind = redisErrorKind(Object.assign(new Error(said), { name: 'ReplyError' }));
    return wrong(said, { fix: refusedFixes[kind] ?? 'See "What a refusal looks like" in docs/redis.md.' });
  },
}));

/** What a server that refuses for now has to be asked for, by the kind of its refusal. */
const refusedFixes: Partial<Record<RedisErrorKind, string>> = {
  credentials: 'Give the user of Redis the rights in docs/operations.md.',
  demoted: 'This server is a replica: set the address of the primary.',
};

/** The worst of them decides; each says itself what it is and what to do. */
function fromFindings(prefix: string, findings: readonly Finding[]): Verdict {
  const found = [prefix, ...findings.map(({ code }) => code)].filter((text) => text !== '').join(', ');
  const means = findings.map(({ message }) => message).join(' ');
  const fix = findings.map((finding) => finding.fix).join(' ');
  const isWrong = findings.some(({ severity }) => severity === 'error');
  return { severity: isWrong ? 'error' : 'note', found, means, fix };
}

export function megabytes(bytes: number): string {
  const mb = bytes / 1_000_000;
  return mb >= 1_000 ? `${String(Math.round(mb / 100) / 10)} GB` : `${String(Math.round(mb))} MB`;
}
