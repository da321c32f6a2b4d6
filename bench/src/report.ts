import { isReached, type Figure, type Target } from './figure.js';

export interface RowResult {
  row: string;
  seconds: number;
  figures: Figure[];
  /** Why the row could not be measured; null when it was. */
  failure: string | null;
}

const headings = ['row', 'what', 'ours', 'against', 'figure', 'spread', 'target', 'reached'];

/** The results as a table of text, one figure a line. */
export function renderTable(results: readonly RowResult[]): string {
  const lines = results.flatMap(({ row, figures, failure }) =>
    failure === null
      ? figures.map((figure) => cells(row, figure))
      : [[row, `not measured: ${failure.split('\n', 1)[0] ?? ''}`, '', '', '', '', '', 'no']],
  );
  const table = [headings, ...lines];
  const widths = headings.map((_, column) => Math.max(...table.map((line) => (line[column] ?? '').length)));
  return table
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function cells(row: string, figure: Figure): string[] {
  const { what, ours, against, value, unit, spread, target } = figure;
  const reached = isReached(figure);
  return [
    row,
    what,
    ours,
    against,
    `${round(value)} ${unit}`,
    spread === null ? '' : `${round(spread.low)} - ${round(spread.high)}`,
    describeTarget(target),
    reached === null ? '' : reached ? 'yes' : 'no',
  ];
}

function describeTarget(target: Target): string {
  if (target === null) return '';
  return 'atLeast' in target ? `>= ${String(target.atLeast)}` : `<= ${String(target.atMost)}`;
}

/** Three digits that matter, without an exponent. */
export function round(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return Math.abs(value) >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
