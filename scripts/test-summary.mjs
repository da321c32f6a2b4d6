/**
 * One line and an exit code from vitest's JSON report. A file that could not be loaded, an error outside every
 * test, a missing report or not a single test that passed counts as a failure although no single test failed.
 */
export const summarize = (report, exitCode) => {
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  const brokenFiles = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const counted = (report?.numFailedTests ?? 0) + brokenFiles;
  const failed = counted === 0 && (exitCode !== 0 || passed === 0) ? 1 : counted;
  return {
    skipped,
    line: `${passed} passed, ${failed} failed`,
    exitCode: failed === 0 ? 0 : exitCode || 1,
  };
};
