import http from 'node:http';
import https from 'node:https';

/** A socket that idled longer may have been closed by the host just now; the SDK never retries a stale one. */
const MAX_IDLE_MS = 4_000;

/** One agent with one kept-alive socket: destroying it is the only way to kill a request of the SDK. */
export interface Lease {
  readonly agent: http.Agent;
  /** Keeps the socket for the next call. */
  release(): void;
  /** Kills whatever runs on it. */
  destroy(): void;
}

/** What is answered on a lease: text that the SDK reads, or a file, of which every byte counts. */
type Content = 'text' | 'file';

export interface AgentPool {
  lease(content?: Content): Lease;
  /** True for an agent of this pool that is in use for text. */
  carriesText(agent: unknown): boolean;
  destroy(): void;
}

/**
 * Keeps at most `maxIdle` agents for reuse, the last used first; more calls at once get agents of their own.
 * `now` is a monotonic clock in milliseconds.
 */
export function createAgentPool(
  apiUrl: string,
  maxIdle: number,
  now: () => number = () => performance.now(),
): AgentPool {
  const create = (): http.Agent =>
    apiUrl.startsWith('http:')
      ? new http.Agent({ keepAlive: true, maxSockets: 1 })
      : new https.Agent({ keepAlive: true, maxSockets: 1 });
  const idle: { agent: http.Agent; since: number }[] = [];
  const inUse = new Map<http.Agent, Content>();

  const take = (): http.Agent => {
    const last = idle.pop();
    if (last === undefined) return create();
    if (now() - last.since <= MAX_IDLE_MS) return last.agent;
    // The ones below idled even longer.
    last.agent.destroy();
    for (const { agent } of idle.splice(0)) agent.destroy();
    return create();
  };

  return {
    lease: (content = 'text') => {
      const agent = take();
      inUse.set(agent, content);
      return {
        agent,
        release: () => {
          if (!inUse.delete(agent)) return;
          if (idle.length < maxIdle) idle.push({ agent, since: now() });
          else agent.destroy();
        },
        destroy: () => {
          inUse.delete(agent);
          agent.destroy();
        },
      };
    },
    carriesText: (agent) => agent instanceof http.Agent && inUse.get(agent) === 'text',
    destroy: () => {
      for (const { agent } of idle.splice(0)) agent.destroy();
      for (const agent of inUse.keys()) agent.destroy();
      inUse.clear();
    },
  };
}
