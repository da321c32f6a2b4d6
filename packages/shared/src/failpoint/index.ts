/**
 * Every step of the main path at which a crash is tried. `HOLDFAST_FAILPOINT=<step>:<action>[:<nth>]` makes a process fail
 * there; without that variable a failpoint costs one comparison. Tests walk this list, so a step that is not listed does
 * not compile and a listed one that is never reached fails a test.
 */
export const failpoints = [
  // Only of uploads with an Idempotency-Key.
  'upload.claimed',
  'upload.intent-open',
  'upload.bytes-begun',
  'upload.bytes-stored',
  'upload.before-commit',
  'upload.committed',
  'upload.accepted',
  'save.begun',
  'save.written',
  'verify.begun',
  'verify.read-back',
  'verify.confirmed',
  'verify.marked',
] as const;

const armed = parse(process.env['HOLDFAST_FAILPOINT']);
let reached = 0;

/** Fails here if a test asks for it: ends the process as a crash would, stops it (SIGSTOP), or throws. */
export function failpoint(step: (typeof failpoints)[number]): void {
  if (armed?.step !== step) return;
  reached += 1;
  if (reached !== armed.nth) return;
  // Synchronous, or the line would die with the process.
  process.stderr.write(`FP ${step}\n`);
  if (armed.action === 'error') throw new Error(`failpoint ${step}`);
  process.kill(process.pid, armed.action === 'kill' ? 'SIGKILL' : 'SIGSTOP');
}

function parse(value: string | undefined) {
  if (value === undefined || value === '' || process.env['NODE_ENV'] === 'production') return undefined;
  // nth: which time the step is reached, from 1.
  const [step = '', action, nth = '1'] = value.split(':');
  if (action !== 'kill' && action !== 'stop' && action !== 'error')
    throw new Error(`HOLDFAST_FAILPOINT has no action ${String(action)}`);
  return { step, action, nth: Number(nth) };
}
