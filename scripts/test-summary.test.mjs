import { expect, it } from 'vitest';
import { summarize } from './test-summary.mjs';

const file = (status, ...tests) => ({
  status,
  assertionResults: tests.map((state) => ({ status: state })),
});

it('counts what passed', () => {
  const report = { numPassedTests: 3, numFailedTests: 0, testResults: [file('passed')] };
  expect(summarize(report, 0)).toEqual({ line: '3 passed, 0 failed', skipped: 0, exitCode: 0 });
});

it('counts skipped tests apart, and keeps the line that programs read', () => {
  const report = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 2, testResults: [] };
  expect(summarize(report, 0)).toEqual({ line: '3 passed, 0 failed', skipped: 2, exitCode: 0 });
});

it('counts a file that could not be loaded as a failure', () => {
  const report = {
    numPassedTests: 3,
    numFailedTests: 1,
    testResults: [file('failed', 'failed', 'passed'), file('failed')],
  };
  expect(summarize(report, 1)).toEqual({ line: '3 passed, 2 failed', skipped: 0, exitCode: 1 });
});

it('counts an error outside every test as a failure', () => {
  const report = { numPassedTests: 3, numFailedTests: 0, testResults: [file('passed', 'passed')] };
  expect(summarize(report, 1)).toEqual({ line: '3 passed, 1 failed', skipped: 0, exitCode: 1 });
});

it('fails without a report, whatever the exit code was', () => {
  expect(summarize(undefined, 0)).toEqual({ line: '0 passed, 1 failed', skipped: 0, exitCode: 1 });
});

it('fails when no test ran at all', () => {
  expect(summarize({ numPassedTests: 0, numFailedTests: 0, testResults: [] }, 0).exitCode).toBe(1);
});
