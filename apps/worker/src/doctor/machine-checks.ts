import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isUnnamed, makeDataFolder, type Environment, type Settings } from '@holdfast/foundation/config';
import {
  connectionFindings,
  ephemeralDiskFindings,
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
import { silentLogger } from '@holdfast/foundation/logging';
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

const CONNECT_MS = 5_000;

/** The assumptions about the place where Holdfast runs, and about its Redis server: none until the first ones have reached it. */
export function machineChecks(settings: Settings, env: Environment) {
  const { dataDir, redis } = settings;
  const ofRedis: Check[] = [];
  const ofMachine: Check[] = [
    {
      name: 'Data folder',
      fix: 'Set DATA_DIR to a folder on a disk that stays, and let the user of the process write there.',
      try: async () => {
        await makeDataFolder(dataDir);
        const file = join(dataDir, 'doctor-test');
        await writeFile(file, '', { flush: true });
        await rm(file);
        const { bavail, bsize } = await statfs(dataDir);
        const free = bavail * bsize;
        const found = `${String(Math.round(free / 1e6))} MB free in ${dataDir}`;
        const needsSpace = settings.host.kind === 'local' || !redis.external;
        if (needsSpace && free < LOCAL_RESERVE_BYTES)
          return wrong(found, { means: 'Below 200 MB uploads to the local host are refused (507).' });
        return fromFindings(found, await ephemeralDiskFindings(settings, env));
      },
    },
    {
      name: 'Redis',
      try: async () => {
        if (isUnnamed(redis)) throw new NotRun('none is configured, and npm start is not running');
        const client = connectRedis(redis.connection, 'background', silentLogger);
        try {
          if (!(await isReadyWithin(client, CONNECT_MS))) {
            const { why, fix } = redisOutage(redis, connectionError(client));
            return wrong(`cannot be reached: ${why}`, { fix });
          }
          const server = serverOf(client, redisKeys(redis.prefix).barrier);
          const facts = await readServerFacts(server);
          const results = await probeServer(server, redis, facts);
          ofRedis.push(...redisChecks(serverFindings({ facts, results }, settings.durability), results));
          const kind = redis.storageType === 'Redis' ? '' : ` (${redis.storageType})`;
          return fromFindings(`${serverName(facts)}${kind}`, connectionFindings(redis));
        } finally {
          await closeRedis(client);
        }
      },
    },
  ];
  return { ofMachine, ofRedis };
}

/** What the server reports, and what it offers, which is the same table as at each start. */
function redisChecks(findings: readonly Finding[], results: readonly ProbeResult[]): readonly Check[] {
  const flaws = results.filter(({ outcome }) => outcome !== 'there');
  return [
    { name: 'Redis keeps data', try: () => fromFindings('every write on disk, no eviction', findings) },
    ...serverProbes.map((probe): Check => ({
      ...probe,
      try: () => {
        const flaw = flaws.find((one) => one.probe === probe);
        if (flaw === undefined) return 'works';
        const { outcome, said } = flaw;
        if (!probe.needed && outcome === 'refused') throw new NotRun(`refused for now: ${said}`);
        if (!probe.needed) return note(said, probe.means);
        if (outcome === 'lacking') return wrong(said);
        // One fault of the server shows in many rows, and is explained in one of them.
        const alike = flaws.filter((one) => one.said === said);
        const first = alike.find((one) => one.outcome === 'lacking') ?? alike[0];
        if (first !== undefined && first !== flaw) throw new NotRun(`as for "${first.probe.name}"`);
        const kind = redisErrorKind(Object.assign(new Error(said), { name: 'ReplyError' }));
        return wrong(said, {
          fix: refusedFixes[kind] ?? 'See "What a refusal looks like" in docs/redis.md.',
        });
      },
    })),
  ];
}

/** What a server that refuses for now has to be asked for, by the kind of its refusal. */
const refusedFixes: Partial<Record<RedisErrorKind, string>> = {
  credentials: 'Give the user of Redis the rights in docs/operations.md.',
  demoted: 'This server is a replica: set the address of the primary.',
};

/** As expected where there are none. The worst of them decides; each says itself what it is and what to do. */
function fromFindings(expected: string, findings: readonly Finding[]): string | Verdict {
  if (findings.length === 0) return expected;
  return {
    severity: findings.some(({ severity }) => severity === 'error') ? 'error' : 'note',
    found: findings.map(({ code }) => code).join(', '),
    means: findings.map(({ message }) => message).join(' '),
    fix: findings.map((finding) => finding.fix).join(' '),
  };
}
