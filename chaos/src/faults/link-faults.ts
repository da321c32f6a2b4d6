import { setTimeout as pause } from 'node:timers/promises';
import type { LinkMode, Random } from '@holdfast/shared/testing';
import type { LinkedPart } from '../stage/stage.js';
import { until } from '../until.js';
import type { FaultAction, FaultContext } from './fault-action.js';

type LinkName = 'redisLink' | 'hostLink';

const IN_USE_WITHIN_MS = 15_000;

/** Those that use such a link. What workers ask the host for is mostly asked again; uploads are where it hurts. */
const partsOf = ({ stage }: FaultContext, link: LinkName): readonly LinkedPart[] =>
  link === 'hostLink' ? [...stage.apis, ...stage.apis, ...stage.workers] : [...stage.apis, ...stage.workers];

const cut =
  (link: LinkName): FaultAction =>
  async (context) => {
    // A link of which nobody makes use cannot be cut.
    const inUse = (): boolean => partsOf(context, link).some((part) => part[link].size() > 0);
    if (!(await until(IN_USE_WITHIN_MS, 20, inUse))) return null;
    const part = context.random.pick(partsOf(context, link).filter((each) => each[link].size() > 0));
    return `${part.name}, ${String(part[link].cut())} connections`;
  };

const disturb =
  (link: LinkName, choose: (random: Random) => { mode: LinkMode; ms: number }): FaultAction =>
  async (context) => {
    const part = context.random.pick(partsOf(context, link));
    const { mode, ms } = choose(context.random);
    part[link].set(mode);
    await pause(ms);
    part[link].set({ kind: 'pass' });
    const how = mode.kind === 'delay' ? ` by ${String(mode.ms)} ms` : '';
    return `${part.name} for ${(ms / 1_000).toFixed(1)} s${how}`;
  };

const refuse = (random: Random) => ({ mode: { kind: 'refuse' } as const, ms: random.whole(500, 6_000) });
const dropReplies = (random: Random) => ({
  mode: { kind: 'drop-replies' } as const,
  ms: random.whole(200, 4_000),
});
const delay = (random: Random) => ({
  mode: { kind: 'delay', ms: random.whole(20, 300) } as const,
  ms: random.whole(1_000, 6_000),
});

/** One process loses its way to Redis or to the host, in part or in whole. */
export const linkFaults = {
  'cut redis link': cut('redisLink'),
  'refuse redis link': disturb('redisLink', refuse),
  'delay redis link': disturb('redisLink', delay),
  'drop redis replies': disturb('redisLink', dropReplies),
  'cut host link': cut('hostLink'),
  'refuse host link': disturb('hostLink', refuse),
  'delay host link': disturb('hostLink', delay),
  'drop host replies': disturb('hostLink', dropReplies),
} as const satisfies Record<string, FaultAction>;
