import { expect, it, vi } from 'vitest';
import { createShares } from '../http/shares.js';
import { takeClaim, type ClaimDependencies } from './take-claim.js';

const request = { client: 'web', key: 'k', waiter: 'key-web' };
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
  await expect(takeClaim(deps, request, never)).rejects.toMatchObject({ code: 'CATALOG_REBUILDING' });
  expect(claim).toHaveBeenCalledTimes(1);
});

it('lets so many wait, the clients in turns, and refuses others at once', async () => {
  const claim = vi.fn<() => Promise<object>>().mockResolvedValue({ state: 'running', leaseMs: 9_000 });
  const deps = {
    claims: { claim },
    rebuilding: { bornSeen: () => '1' },
    idSecret: () => Promise.resolve(Buffer.alloc(32)),
    claimWaitMs: 60_000,
    waiters: createShares(2),
  } as unknown as ClaimDependencies;
  const left = new AbortController();
  const wait = (waiter: string) => takeClaim(deps, { ...request, waiter }, left.signal);
  const inProgress = { code: 'IDEMPOTENCY_IN_PROGRESS', retryAfterSeconds: 9 };
  const [first, second] = [wait('a'), wait('a')];
  await expect(wait('a')).rejects.toMatchObject(inProgress);
  const other = wait('b');
  await expect(first).rejects.toMatchObject(inProgress);
  left.abort(new Error('gone'));
  await expect(Promise.allSettled([second, other])).resolves.toEqual([
    { status: 'rejected', reason: new Error('gone') },
    { status: 'rejected', reason: new Error('gone') },
  ]);
  expect(deps.waiters.running).toBe(0);
});

it('gives a claim back that comes after the refusal, so that the next try need not wait for its lease', async () => {
  const claim = { key: 'k', id: 'i', token: 't', takenOver: false };
  const answer = new Promise((resolve) => setTimeout(() => resolve({ state: 'held', claim }), 700));
  const release = vi.fn<() => Promise<string>>().mockResolvedValue('released');
  const deps = {
    claims: { claim: () => answer, release },
    rebuilding: { bornSeen: () => '1' },
    idSecret: () => Promise.resolve(Buffer.alloc(32)),
    claimWaitMs: 0,
  } as unknown as ClaimDependencies;
  await expect(takeClaim(deps, request, never)).rejects.toMatchObject({ code: 'QUEUE_UNAVAILABLE' });
  await vi.waitFor(() => expect(release).toHaveBeenCalledExactlyOnceWith(claim, false));
});
