import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RunResult } from './check/final-state.js';
import { badClients } from './clients/bad-clients.js';
import { startLoad } from './clients/start-load.js';
import { injectFaults, type InjectedFault } from './faults/inject-faults.js';
import { planFaults } from './faults/plan-faults.js';
import { openHistory } from './history.js';
import { listCatalog, listHost } from './observe.js';
import { awaitRest, goneAfterKillOf } from './rest.js';
import { openStage, type Stage } from './stage/stage.js';
import { until } from './until.js';

export interface ChaosOptions {
  seed: number;
  /** How long faults and load last. */
  seconds: number;
  /** Mean distance of two faults. */
  everyMs: number;
  uploaders: number;
  editors: number;
  /** Of this run: history, logs, the host's files. */
  folder: string;
  say: (line: string) => void;
  /** Called once the processes run, so that an interrupted run can end them. */
  onStage: (stage: Stage) => void;
}

export interface ChaosRun {
  result: RunResult;
  faults: InjectedFault[];
}

/** One run: a deployment under load and faults, then rest, then a look at everything it left. */
export async function runChaos(options: ChaosOptions): Promise<ChaosRun> {
  const { seed, seconds, everyMs, folder, say } = options;
  const stage = await openStage({ folder, apis: 2, workers: 3 });
  options.onStage(stage);
  const history = openHistory(join(folder, 'history.ndjson'));
  const crashes: string[] = [];
  try {
    const apis = stage.apis.map(({ url }) => url);
    const load = startLoad({ ...options, history, apis });
    const wipedAt: number[] = [];
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), seconds * 1_000);
    const plan = planFaults({ seed, seconds, everyMs });
    const context = {
      stage,
      badClients: badClients(history, apis),
      declareWipe: () => void wipedAt.push(history.now()),
      ending: ending.signal,
    };
    const noteFault = (fault: InjectedFault): void => {
      const line = `${(history.now() / 1_000).toFixed(1).padStart(6)} s  ${fault.kind}: ${fault.detail ?? 'NOT DONE'}`;
      appendFileSync(join(folder, 'faults.log'), `${line}\n`);
      say(line);
    };
    const faults = await injectFaults(plan, context, noteFault);
    await until(seconds * 1_000, 50, () => ending.signal.aborted);
    clearTimeout(timer);
    await stage.host.faults.clear();
    const faultsEndedAt = history.now();
    await load.stop();
    say('load and faults are over; waiting for rest');
    const rest = await awaitRest(stage, () => history.now() - faultsEndedAt);
    const records = await listCatalog(apis[0] ?? '');
    const assets = await listHost(stage);
    const goneAfterKill = await goneAfterKillOf(stage, records);
    crashes.push(
      ...[...stage.apis, ...stage.workers].flatMap((part) => part.crashes()),
      ...(await stage.close()),
    );
    const result: RunResult = {
      operations: history.operations,
      wipedAt,
      records,
      assets,
      goneAfterKill,
      ...rest,
      planned: plan.length,
      injected: faults.filter(({ detail }) => detail !== null).length,
      crashes,
    };
    return { result, faults };
  } finally {
    await stage.close();
    history.close();
  }
}
