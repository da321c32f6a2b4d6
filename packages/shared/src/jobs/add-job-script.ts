import { addStandardJob } from 'bullmq/dist/cjs/scripts/addStandardJob-9.js';

/** How many keys that script has, and how many values follow them. */
export const ADD_JOB_KEYS = addStandardJob.keys;
export const ADD_JOB_VALUES = 3;

/**
 * Lua for scripts that add jobs in the same step as something else: `add_job(keys, arguments)` is the script with which
 * BullMQ itself adds a job that may start at once, unchanged, as a function. Its parameters stand for KEYS and ARGV of that
 * script; what they must be, `JobInsert` says.
 */
export const addJobScript = /* lua */ `
local function add_job(KEYS, ARGV)
${addStandardJob.content}
end
`;
