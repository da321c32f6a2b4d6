import { readFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { errorCatalogue } from '../src/errors/index.js';

it('lists every error code with its status and title in docs/errors.md', async () => {
  const text = await readFile(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `([A-Z_]+)` \| (\d{3}) \| ([^|]+) \| [^|]+ \|$/gm)].map(
    ([, code = '', status = '', title = '']) => [code, { status: Number(status), title }],
  );
  const told = Object.entries(errorCatalogue).map(([code, { status, title }]) => [code, { status, title }]);
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(told));
  // A code that stands there twice would hide a contradiction.
  expect(rows).toHaveLength(Object.keys(errorCatalogue).length);
});
