import { editBase, type EditableFields, type MergeBase } from '../media/index.js';
import { defineScript, redisEdge, scriptEdge, type RedisClient, type RedisKeys } from '../redis/index.js';

/** Longer than the host is away. Then an edit there of the same field, before our push, counts as the older one. */
const KEPT_SECONDS = 7 * 86_400;

/**
 * ARGV: life in seconds, '1' = keep what the same revision has, then id, revision, base and the revision that the host had, of each.
 * What a later revision has stays: by an older base one side's edit would be lost.
 */
const noteScript = defineScript(`
for i = 3, #ARGV, 4 do
  local key, revision = KEYS[1] .. ':taken:' .. ARGV[i], tonumber(ARGV[i + 1])
  local known = tonumber(string.match(redis.call('GET', key) or '', '^%d+') or '-1')
  if known < revision or (known == revision and ARGV[2] == '0') then
    redis.call('SET', key, ARGV[i + 1] .. ':' .. ARGV[i + 2] .. ':' .. ARGV[i + 3], 'EX', ARGV[1])
  end
end
return 'ok'
`);

/** ARGV: id, revision that the host has. The base of a later one stays. */
const forgetScript = defineScript(`
local key = KEYS[1] .. ':taken:' .. ARGV[1]
local revision = string.match(redis.call('GET', key) or '', '^%d+')
if revision and tonumber(revision) <= tonumber(ARGV[2]) then redis.call('DEL', key) end
return 'ok'
`);

/**
 * What the host had when its edits were merged into a record, until the host has our revision that joins them. By this the next edit
 * there is distinguished from the one that we have. Throws CATALOG_UNAVAILABLE.
 */
export function mergeBases(redis: RedisClient, keys: RedisKeys) {
  const run = scriptEdge(redis, keys, 'CATALOG_UNAVAILABLE');
  const guarded = redisEdge('CATALOG_UNAVAILABLE');
  return {
    /** For records that were just saved with edits of the host. */
    noteMergeBases: async (bases: readonly (MergeBase & { id: string })[]): Promise<void> => {
      if (bases.length === 0) return;
      const args = bases.flatMap(({ id, revision, base, over }) => [id, revision, base, over]);
      await run(noteScript, [KEPT_SECONDS, '0', ...args]);
    },
    /**
     * Before an edit here over a record that the host has in full. An asset without our mark does not tell what it had then, nor does
     * one whose last edit came in when the catalog was filled, which is not written back.
     */
    keepMergeBase: async ({
      id,
      revision,
      ...fields
    }: EditableFields & { id: string; revision: number }): Promise<void> => {
      await run(noteScript, [KEPT_SECONDS, '1', id, revision + 1, editBase(fields), revision]);
    },
    findMergeBases: async (ids: readonly string[]): Promise<Map<string, MergeBase>> => {
      if (ids.length === 0) return new Map();
      const texts = await guarded(() => redis.mget(ids.map((id) => keys.mergeBase(id))));
      return new Map(ids.flatMap((id, index) => parse(id, texts[index] ?? null)));
    },
    /** The host has all of this revision now. */
    forgetMergeBase: async (id: string, revision: number): Promise<void> => {
      await run(forgetScript, [id, revision]);
    },
  };
}

function parse(id: string, text: string | null): [string, MergeBase][] {
  const [revision, base, over] = text?.split(':') ?? [];
  return base === undefined || over === undefined
    ? []
    : [[id, { revision: Number(revision), base, over: Number(over) }]];
}
