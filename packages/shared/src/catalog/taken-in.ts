import { editBase, type EditableFields, type TakenIn } from '../media/index.js';
import {
  defineScript,
  fromRedisError,
  scriptEdge,
  type RedisClient,
  type RedisKeys,
} from '../redis/index.js';

/** Longer than the host is away. Then an edit there of the same field, before our push, is taken for the older one. */
const KEPT_SECONDS = 7 * 86_400;

/** ARGV: life in seconds, then id, revision, base and the revision that the host had, of each. What was taken in for a later revision stays. */
const noteScript = defineScript(`
for i = 2, #ARGV, 4 do
  local key, revision = KEYS[1] .. ':taken:' .. ARGV[i], ARGV[i + 1]
  local known = string.match(redis.call('GET', key) or '', '^%d+')
  if not known or tonumber(known) <= tonumber(revision) then
    redis.call('SET', key, revision .. ':' .. ARGV[i + 2] .. ':' .. ARGV[i + 3], 'EX', ARGV[1])
  end
end
return 'ok'
`);

/** ARGV: life in seconds, id, revision, base, and the revision that the host had. Only where nothing was taken in for that revision, or a later one. */
const metScript = defineScript(`
local key = KEYS[1] .. ':taken:' .. ARGV[2]
local known = string.match(redis.call('GET', key) or '', '^%d+')
if not known or tonumber(known) < tonumber(ARGV[3]) then
  redis.call('SET', key, ARGV[3] .. ':' .. ARGV[4] .. ':' .. ARGV[5], 'EX', ARGV[1])
end
return 'ok'
`);

/** ARGV: id, revision that the host has. What was taken in for a later one since then stays. */
const forgetScript = defineScript(`
local key = KEYS[1] .. ':taken:' .. ARGV[1]
local revision = string.match(redis.call('GET', key) or '', '^%d+')
if revision and tonumber(revision) <= tonumber(ARGV[2]) then redis.call('DEL', key) end
return 'ok'
`);

/**
 * What the host had when its edits were taken in, from then until the host has our revision that joins them: by this the next
 * edit there is told from the one we have. Throws CATALOG_UNAVAILABLE.
 */
export function takenInEdits(redis: RedisClient, keys: RedisKeys) {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  return {
    /**
     * For records that were just saved with them. What was noted since for a later revision stays: by an older one, an edit
     * would be told from the wrong text, and one side's would be lost.
     */
    noteTakenIn: async (edits: readonly (TakenIn & { id: string })[]): Promise<void> => {
      if (edits.length === 0) return;
      await run(noteScript, [
        KEPT_SECONDS,
        ...edits.flatMap(({ id, revision, base, over }) => [id, revision, base, over]),
      ]);
    },
    /**
     * Before an edit over a record that the host has all of. An asset without our mark does not tell what it had then, nor does one whose
     * last edit came in when the catalog was filled, which is not written back: by this an edit that is made there, or was made and not
     * seen yet, is told from those made here.
     */
    noteMet: async ({
      id,
      revision,
      ...fields
    }: EditableFields & { id: string; revision: number }): Promise<void> => {
      await run(metScript, [KEPT_SECONDS, id, revision + 1, editBase(fields), revision]);
    },
    findTakenIn: async (ids: readonly string[]): Promise<Map<string, TakenIn>> => {
      if (ids.length === 0) return new Map();
      try {
        const texts = await redis.mget(ids.map((id) => keys.takenIn(id)));
        return new Map(ids.flatMap((id, index) => parse(id, texts[index] ?? null)));
      } catch (error) {
        throw fromRedisError(error, 'CATALOG_UNAVAILABLE');
      }
    },
    /** The host has all of this revision now. */
    forgetTakenIn: async (id: string, revision: number): Promise<void> => {
      await run(forgetScript, [id, revision]);
    },
  };
}

function parse(id: string, text: string | null): [string, TakenIn][] {
  const [revision, base, over] = text?.split(':') ?? [];
  return base === undefined || over === undefined
    ? []
    : [[id, { revision: Number(revision), base, over: Number(over) }]];
}
