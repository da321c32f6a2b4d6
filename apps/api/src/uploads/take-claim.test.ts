import { expect, it, vi } from 'vitest';
import { takeClaim, type ClaimDependencies } from './take-claim.js';

const never = new AbortController().signal;

it('decides nothing about a key where it cannot learn what became of the catalog', async () => {
  // As where Redis answers the script, and not what is asked after it.
  const claim = vi
    .fn<() => Promise<{ state: string }>>()
    .mockResolvedValueOnce({ state: 'emptied' })
    .mockResolvedValue({ state: 'done' });
  const deps = {
    claims: { claim },
    rebuilding: { isOn: () => Promise.resolve(false), bornSeen: () => '1' },
    idSecret: () => Promise.resolve(Buffer.alloc(32)),
    claimWaitMs: 0,
  } as unknown as ClaimDependencies;
  await expect(takeClaim(deps, 'web', 'k', never)).rejects.toMatchObject({ code: 'CATALOG_REBUILDING' });
  expect(claim).toHaveBeenCalledTimes(1);
});
