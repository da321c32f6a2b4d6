import { expect, it } from 'vitest';
import { createAgentPool } from './agent-pool.js';

it('gives the agent that was used last to the next call', () => {
  const pool = createAgentPool('https://api.example.com', 2);
  const [first, second] = [pool.lease(), pool.lease()];
  first.release();
  second.release();
  expect(pool.lease().agent).toBe(second.agent);
  expect(pool.lease().agent).toBe(first.agent);
  pool.destroy();
});

it('replaces agents whose socket idled for over four seconds', () => {
  let time = 0;
  const pool = createAgentPool('http://127.0.0.1:1', 2, () => time);
  const old = pool.lease();
  old.release();
  time = 4_000;
  const same = pool.lease();
  expect(same.agent).toBe(old.agent);
  same.release();
  time = 8_001;
  expect(pool.lease().agent).not.toBe(old.agent);
  pool.destroy();
});

it('never gives out an agent that was destroyed, nor one twice', () => {
  const pool = createAgentPool('http://127.0.0.1:1', 2);
  const killed = pool.lease();
  killed.destroy();
  killed.release();
  const lease = pool.lease();
  expect(lease.agent).not.toBe(killed.agent);
  lease.release();
  lease.release();
  expect(pool.lease().agent).not.toBe(pool.lease().agent);
  pool.destroy();
});
