import { startFaultProxy, type FaultProxy } from '@holdfast/shared/testing';

export const linkNames = ['redis', 'host'] as const;
/** What an actor talks to. */
export type LinkName = (typeof linkNames)[number];

/** What happens to one piece that an actor sends, once the gate has stopped it. */
export type Reached = (link: LinkName) => Promise<void>;

/**
 * The two links of one actor, to Redis and to the media host. A piece is what one write of a client brings: a command,
 * a pipeline, or the head or a part of the body of an HTTP request. While armed, pieces are counted over both links, and
 * the one with the given number is stopped.
 */
export interface Gate {
  links: Readonly<Record<LinkName, FaultProxy>>;
  /** Counts from 1, and calls `reached` with piece `at`; the piece continues when that resolves. */
  arm(at: number, reached: Reached): void;
  /** Stops counting. The number of pieces seen since `arm`. */
  disarm(): number;
  close(): Promise<void>;
}

export async function openGate(ports: Readonly<Record<LinkName, number>>): Promise<Gate> {
  let armed: { at: number; reached: Reached } | null = null;
  let seen = 0;
  const open = (link: LinkName): Promise<FaultProxy> =>
    startFaultProxy(ports[link], {
      beforeRequest: async () => {
        if (armed === null) return;
        seen += 1;
        if (seen === armed.at) await armed.reached(link);
      },
    });
  const links = { redis: await open('redis'), host: await open('host') };
  return {
    links,
    arm: (at, reached) => {
      seen = 0;
      armed = { at, reached };
    },
    disarm: () => {
      armed = null;
      return seen;
    },
    close: async () => {
      await Promise.all(linkNames.map((name) => links[name].close()));
    },
  };
}
