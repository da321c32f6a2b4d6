import { afterAll, beforeAll, expect, it } from 'vitest';
import { HandBack } from '@holdfast/shared/jobs';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { openSyncRig } from '../../test/support/sync-rig.js';

let sandbox: RedisSandbox;
beforeAll(async () => {
  sandbox = await startRedisSandbox();
});
afterAll(() => sandbox.close());

it('keeps what the host said while it is not asked any more', async () => {
  const rig = await openSyncRig(sandbox, 'cloudinary');
  const refusal = { kind: 'error', status: 401, message: 'Unknown API key', count: null } as const;
  await rig.emulator?.faults.add(refusal);
  const run = rig.worker();
  const endOf = (): Promise<unknown> =>
    run({ mode: 'full', runId: 'r' }).then(
      () => null,
      (error: unknown) => error,
    );
  // After some refusals the host is not asked any more.
  let end = await endOf();
  for (let tries = 0; tries < 10 && !(end instanceof HandBack); tries += 1) end = await endOf();
  expect(end).toBeInstanceOf(HandBack);
  const running = await rig.state.readRunning();
  expect(running?.run).toMatchObject({
    lastError: { code: 'HOST_REJECTED', message: expect.stringContaining('Unknown API key') as string },
    waitingUntil: expect.any(String) as string,
  });
});
