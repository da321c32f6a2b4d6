import type { FaultAction } from './fault-action.js';
import { hostFaults } from './host-faults.js';
import { linkFaults } from './link-faults.js';

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

/** Every fault, by the name it is counted under (docs/chaos.md). */
export const faultKinds = {
  'kill api': async ({ stage, random }) => {
    const part = random.pick(stage.apis);
    return (await part.kill()) ? part.name : null;
  },
  'kill worker': async ({ stage, random }) => {
    const part = random.pick(stage.workers);
    return (await part.kill()) ? part.name : null;
  },
  'pause api': async ({ stage, random }) => {
    const [part, ms] = [random.pick(stage.apis), random.whole(1_000, 9_000)];
    return (await part.pauseFor(ms)) ? `${part.name} for ${seconds(ms)}` : null;
  },
  'pause worker': async ({ stage, random }) => {
    const [part, ms] = [random.pick(stage.workers), random.whole(1_000, 12_000)];
    return (await part.pauseFor(ms)) ? `${part.name} for ${seconds(ms)}` : null;
  },
  'kill redis': async ({ stage, random }) => {
    const ms = random.whole(100, 4_000);
    await stage.redisFaults.kill(ms);
    return `away for ${seconds(ms)}`;
  },
  'restart redis': async ({ stage, random }) => {
    const ms = random.whole(100, 2_000);
    await stage.redisFaults.restart(ms);
    return `away for ${seconds(ms)}`;
  },
  'pause redis': async ({ stage, random }) => {
    const ms = random.whole(500, 6_000);
    await stage.redisFaults.pauseFor(ms);
    return `for ${seconds(ms)}`;
  },
  'full redis': async ({ stage, random }) => {
    const ms = random.whole(1_000, 5_000);
    await stage.redisFaults.fullFor(ms);
    return `for ${seconds(ms)}`;
  },
  'read-only redis': async ({ stage, random }) => {
    const ms = random.whole(500, 4_000);
    await stage.redisFaults.readOnlyFor(ms);
    return `for ${seconds(ms)}`;
  },
  'flush scripts': async ({ stage }) => {
    await stage.redisFaults.flushScripts();
    return 'SCRIPT FLUSH';
  },
  'foreign scripts': async ({ stage }) => {
    await stage.redisFaults.foreignScripts(700);
    return '700 of them';
  },
  'wipe redis': async ({ stage, declareWipe }) => {
    declareWipe();
    await stage.redisFaults.wipe();
    return 'FLUSHALL';
  },
  ...linkFaults,
  ...hostFaults,
  'client vanishes': ({ badClients, random }) => badClients.vanish(random),
  'client crawls': ({ badClients, random }) => badClients.crawl(random),
  'client lies about the length': ({ badClients, random }) => badClients.lieAboutLength(random),
  'client sends a wrong digest': ({ badClients, random }) => badClients.wrongDigest(random),
  'client sends two files': ({ badClients, random }) => badClients.twoFiles(random),
} as const satisfies Record<string, FaultAction>;

export type FaultKind = keyof typeof faultKinds;
export const faultNames = Object.keys(faultKinds) as FaultKind[];
