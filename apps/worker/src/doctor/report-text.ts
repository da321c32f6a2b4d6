import type { Row, Severity } from './probe.js';
import { MAX_ADMIN_CALLS } from './trial.js';
import type { Diagnosis } from './run-doctor.js';

const WIDTH = 100;
const columns = { mark: 9, name: 19, expected: 33 } as const;
const FOUND = WIDTH - columns.mark - columns.name - columns.expected;
const marks: Record<Severity, string> = { ok: 'ok', note: 'note', error: 'ERROR', skipped: '-' };

/** The table for people, and one line that sums it up. */
export function reportText({ rows, adminCalls, interrupted }: Diagnosis): string {
  const groups = [...new Set(rows.map(({ group }) => group))];
  const tables = groups.map((group) => {
    const lines = rows.filter((row) => row.group === group).flatMap(rowLines);
    return `${heading(group)}\n${lines.join('\n')}\n`;
  });
  const end = interrupted ? ' Interrupted: not everything was tried.' : '';
  return `${tables.join('\n')}\n${summary(rows, adminCalls)}${end}\n`;
}

function heading(group: string): string {
  const before = columns.mark + columns.name;
  const title = group.length < before ? group.padEnd(before) : `${group}\n${''.padEnd(before)}`;
  return `${title}${'expected'.padEnd(columns.expected)}found`;
}

function rowLines(row: Row): string[] {
  const expected = wrap(row.expected, columns.expected - 2);
  const found = wrap(row.found, FOUND);
  const lines = Array.from({ length: Math.max(expected.length, found.length) }, (_, index) =>
    cells(
      index === 0 ? marks[row.severity] : '',
      index === 0 ? row.name : '',
      expected[index] ?? '',
      found[index] ?? '',
    ),
  );
  const more = [row.means, row.fix].filter((text) => text !== undefined && text !== '').join(' ');
  if (more === '') return lines;
  const indent = ' '.repeat(columns.mark);
  return [...lines, ...wrap(more, WIDTH - columns.mark - 2).map((line) => `${indent}| ${line}`)];
}

function cells(mark: string, name: string, expected: string, found: string): string {
  return `  ${mark.padEnd(columns.mark - 2)}${name.padEnd(columns.name)}${expected.padEnd(columns.expected)}${found}`.trimEnd();
}

/** Lines of whole words; a longer word is cut. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return [...lines, line];
}

function summary(rows: readonly Row[], adminCalls: number): string {
  const count = (severity: Severity): string =>
    String(rows.filter((row) => row.severity === severity).length);
  const counts = `${count('ok')} ok, ${count('note')} noted, ${count('error')} wrong, ${count('skipped')} not run.`;
  return adminCalls === 0
    ? counts
    : `${counts} ${String(adminCalls)} of at most ${String(MAX_ADMIN_CALLS)} Admin calls made.`;
}
