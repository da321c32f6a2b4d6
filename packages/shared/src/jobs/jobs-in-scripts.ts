/** Everything that knows BullMQ's own scripts: adding jobs in the same step as something else. */
import { addStandardJob } from 'bullmq/dist/cjs/scripts/addStandardJob-9.js';

/** The two jobs of an upload, for a script that adds them. */
export interface UploadJobs {
  saveId: string;
  verifyId: string;
  /** Payload of both, in JSON. */
  data: string;
  /** Those of BullMQ for both, in JSON, without the id. */
  options: string;
}

/**
 * Lua for scripts with timePrelude that add the jobs of an upload: `add_jobs(save_id, verify_id, data, options)` answers whether both
 * were added; one that cannot be does not keep the other out. The script with which BullMQ adds a job that may start at once is used
 * unchanged, as a function, with keys and arguments in its own order.
 */
export const addJobsLua = /* lua */ `
local function add_standard_job(KEYS, ARGV)
${addStandardJob.content}
end

local function add_jobs(save_id, verify_id, data, options)
  local ids, decoded, now, all_added = { save = save_id, verify = verify_id }, cjson.decode(options), now_ms(), true
  for _, queue in ipairs({ 'save', 'verify' }) do
    local id = ids[queue]
    local q = p .. ':' .. queue .. ':'
    local keys = { q .. 'wait', q .. 'paused', q .. 'meta', q .. 'id', q .. 'completed', q .. 'delayed', q .. 'active', q .. 'events', q .. 'marker' }
    decoded.jobId = id
    local added = pcall(add_standard_job, keys, { cmsgpack.pack({ q, id, queue, now }), data, cmsgpack.pack(decoded) })
    all_added = all_added and added
  end
  return all_added
end
`;

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
