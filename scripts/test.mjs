// npm test: everything a bare machine needs, then all tests. The last line is "N passed, N failed".
import './require-node.mjs';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWorkspace, ensureProgram, installWorkspace } from './prepare.mjs';
import { run, say } from './run-command.mjs';
import { summarize } from './test-summary.mjs';

/** Names of the program, see e2e/harness/browser.ts. */
const browsers = ['chromium', 'chromium-browser', 'google-chrome'];

// Also when it ends before a single test has run, the last line says what came of it.
let lastLine = '0 passed, 1 failed';
process.on('exit', () => say(lastLine));

if (!(await ensureProgram(['redis-server'], 'redis-server'))) {
  say('The tests need redis-server on PATH: sudo apt-get install redis-server, or brew install redis');
  process.exit(1);
}
// Without one the tests of the pages are skipped.
if (!(await ensureProgram(browsers, 'chromium'))) say('No browser: the tests of the pages are skipped.');
await installWorkspace();
await buildWorkspace();

const folder = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
const report = join(folder, 'report.json');
const code = await run('vitest', [
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...process.argv.slice(2),
]);
const readReport = () => {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return undefined;
  }
};
const summary = summarize(readReport(), code);
rmSync(folder, { recursive: true, force: true });
if (summary.skipped > 0) say(`${summary.skipped} skipped: what they need is not on this machine`);
lastLine = summary.line;
process.exitCode = summary.exitCode;
