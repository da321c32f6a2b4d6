import type { Cluster, Redis } from 'ioredis';
import { redisRefusal } from './redis-error.js';

/** What the probes of the server have shown: without ZMSCORE there is no start (server-probes.ts). */
const AT_LEAST = 'redis_version:6.2.0\r\n';
/** Not for a moment only. A login that is not accepted is another matter. */
const isHidden = (error: unknown): boolean =>
  redisRefusal(error) === 'command' || (error instanceof Error && error.message.startsWith('NOPERM'));

type Answer = (error: Error | null, text?: string) => void;

/**
 * Answers INFO in the server's place where it refuses it. ioredis takes no connection into use before INFO was answered, and BullMQ
 * never works on one whose first INFO failed; both ask for what they find by themselves. What we ask of the server goes by `call`,
 * and is refused. Clients made of this one are given the same.
 */
export function answerInfo<Client extends Redis | Cluster>(client: Client): Client {
  const info = client.info.bind(client) as (...args: unknown[]) => Promise<string>;
  const answered = async (...args: unknown[]): Promise<string> => {
    try {
      return await info(...args);
    } catch (error) {
      if (isHidden(error)) return AT_LEAST;
      throw error;
    }
  };
  client.info = (...args: unknown[]) => {
    const last = args.at(-1);
    if (typeof last !== 'function') return answered(...args);
    const tell = last as Answer;
    const answer = answered(...args.slice(0, -1));
    answer.then(
      (text) => tell(null, text),
      (error: Error) => tell(error),
    );
    return answer;
  };
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => answerInfo(duplicate(...args))) as Client['duplicate'];
  return client;
}
