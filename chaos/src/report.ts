import { acknowledged, ofKind } from './check/by-id.js';
import { isUncommitted } from './check/check-host.js';
import type { RunResult, Violation, ViolationKind } from './check/final-state.js';
import type { InjectedFault } from './faults/inject-faults.js';

const SHOWN_OF_A_KIND = 10;

/** What a run showed, as text; ends with the command that repeats it. */
export function renderReport(
  run: RunResult,
  violations: readonly Violation[],
  faults: readonly InjectedFault[],
  command: string,
): string {
  const count = (...kinds: ViolationKind[]): number =>
    violations.filter(({ kind }) => kinds.includes(kind)).length;
  const uploads = ofKind(run.operations, 'upload');
  const of = (kind: 'edit' | 'delete' | 'read'): number =>
    ofKind(run.operations, kind).filter(({ outcome }) => outcome === 'ok').length;
  const lines: [string, string | number][] = [
    ['acknowledged uploads', acknowledged(run.operations).size],
    [
      'refused / without an answer',
      `${String(uploads.filter(({ outcome }) => outcome === 'fail').length)} / ${String(uploads.filter(({ outcome }) => outcome === 'info').length)}`,
    ],
    ['edits / deletions / reads', `${String(of('edit'))} / ${String(of('delete'))} / ${String(of('read'))}`],
    ['lost', count('lost', 'bytes differ')],
    ['duplicates', count('duplicate')],
    ['orphans', count('orphan')],
    ['other violations', violations.length - count('lost', 'bytes differ', 'duplicate', 'orphan')],
    ['unfinished assets that wait for their deadline', run.assets.filter(isUncommitted).length],
    [
      'converged after',
      run.convergedMs === null ? `never: ${run.unsettled}` : `${(run.convergedMs / 1_000).toFixed(1)} s`,
    ],
    ['faults', `${String(run.injected)} of ${String(run.planned)} planned`],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return [
    ...lines.map(([name, value]) => `${name.padEnd(width)}  ${String(value)}`),
    '',
    'faults by kind',
    ...faultsByKind(faults).map(([kind, number]) => `  ${String(number).padStart(4)}  ${kind}`),
    ...renderViolations(violations),
    '',
    `To repeat: ${command}`,
  ].join('\n');
}

function faultsByKind(faults: readonly InjectedFault[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { kind, detail } of faults) if (detail !== null) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].toSorted(([a], [b]) => a.localeCompare(b));
}

function renderViolations(violations: readonly Violation[]): string[] {
  const kinds = [...new Set(violations.map(({ kind }) => kind))];
  return kinds.flatMap((kind) => {
    const own = violations.filter((violation) => violation.kind === kind);
    const shown = own.slice(0, SHOWN_OF_A_KIND).map(({ about, detail }) => `  ${about} ${detail}`);
    const more = own.length > SHOWN_OF_A_KIND ? [`  and ${String(own.length - SHOWN_OF_A_KIND)} more`] : [];
    return ['', `VIOLATED ${kind} (${String(own.length)})`, ...shown, ...more];
  });
}
