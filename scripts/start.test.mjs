import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const start = fileURLToPath(new URL('start.mjs', import.meta.url));

it('says that it takes no arguments, and starts nothing', () => {
  const { status, stdout } = spawnSync(process.execPath, [start, '--port', '4000'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect(stdout).toBe(
    'npm start takes no arguments. Settings come from the environment, or from a file named .env: see docs/settings.md\n',
  );
  expect(status).toBe(2);
});
