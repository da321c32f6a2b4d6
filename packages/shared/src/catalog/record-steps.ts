// Lua statements that several scripts have in common, for scripts with recordPrelude. Text and no functions: Redis makes each
// function of a script anew at each call. They use the locals that their comments name.

/** Of `id`: its upload is no longer under way. */
export const endIntent = /* lua */ `
redis.call('ZREM', p .. ':intents', id)
redis.call('DEL', p .. ':intent:' .. id)
`;

/** The same of `ids`, of which there is one at least and 4,000 at most. */
export const endIntents = /* lua */ `
redis.call('ZREM', p .. ':intents', unpack(ids))
local intents = {}
for n, id in ipairs(ids) do intents[n] = p .. ':intent:' .. id end
redis.call('DEL', unpack(intents))
`;

/** Of `id` with `measured`, `content` and `c`, what is indexed of it: the record waits as deleting. Its tombstone is there. */
export const setDeleting = /* lua */ `${endIntent}
redis.call('ZREM', p .. ':unpushed', id)
set_status(id, measured, 'x', c[CREATED])
write(id, measured, content)
`;

/** Of `id` with `measured` and `content`: the record goes, with its index entries. For scripts with entryWritesPrelude. */
export const eraseRecord = /* lua */ `
each_index(id, content, remove_entry)
if measured[STATUS] ~= 'v' then redis.call('ZREM', p .. ':i:s:' .. measured[STATUS], id) end
redis.call('DEL', record_key(id))
`;
