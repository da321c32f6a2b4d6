import { ErrorCode } from 'bullmq';
import { expect, it } from 'vitest';
import { silentLogger, type Logger } from '@holdfast/foundation/logging';
import { createErrorLog } from './error-log.js';

function logged(errors: readonly Error[]): unknown[] {
  const lines: unknown[] = [];
  const note =
    (level: string): Logger['warn'] =>
    (event, fields) =>
      void lines.push({ level, event, ...fields });
  const logError = createErrorLog(
    { ...silentLogger, warn: note('warn'), error: note('error') },
    'worker.error',
  );
  for (const error of errors) logError(error);
  return lines;
}

it.each([ErrorCode.JobNotExist, ErrorCode.JobLockNotExist, ErrorCode.JobLockMismatch])(
  'warns once of the jobs that were lost under a worker, however many (%s)',
  (code) => {
    const errors = ['a', 'b', 'c'].map((id) =>
      Object.assign(new Error(`Missing key for job ${id}`), { code }),
    );
    expect(logged(errors)).toEqual([expect.objectContaining({ level: 'warn', kind: 'job_lost' })]);
  },
);

it('logs every unexpected error', () => {
  const errors = ['a', 'b', 'a'].map((message) => new TypeError(message));
  expect(logged(errors)).toMatchObject([
    { level: 'error', error: { name: 'TypeError', message: 'a' } },
    { level: 'error', error: { name: 'TypeError', message: 'b' } },
  ]);
});
