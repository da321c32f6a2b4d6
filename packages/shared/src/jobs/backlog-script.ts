/**
 * Lua for scripts that decide on new uploads: `backlog(p)` counts the jobs that wait or are delayed, `p` being the hash
 * tag before all keys. An upload has two.
 */
export const backlogScript = /* lua */ `
local function backlog(p)
  local jobs = 0
  for _, queue in ipairs({ 'save', 'verify' }) do
    jobs = jobs + redis.call('LLEN', p .. ':' .. queue .. ':wait') + redis.call('ZCARD', p .. ':' .. queue .. ':delayed')
  end
  return jobs
end
`;
