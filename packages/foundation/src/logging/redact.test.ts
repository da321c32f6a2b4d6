import { expect, it } from 'vitest';
import { redact, redactText } from './redact.js';

it('masks fields whose name speaks of a secret, at any depth', () => {
  const safe = redact({
    api_secret: 'x1',
    nested: { Authorization: 'Bearer x2' },
    request_options: { auth: 'x3' },
  });
  expect(JSON.stringify(safe)).not.toMatch(/x1|x2|x3/);
});

it.each(['SECRET', 'redisPassword', 'passwd', 'csrfToken', 'apiKey', 'X-Api-Key', 'api_key', 'set-cookie'])(
  'masks a field named %s, also in a list',
  (name) => {
    const safe = redact({ [name]: 'x1', list: [{ [name]: 'x2', kept: 'y' }] });
    expect(JSON.stringify(safe)).not.toMatch(/x1|x2/);
    expect(safe['list']).toMatchObject([{ kept: 'y' }]);
  },
);

it('masks credentials inside URLs, in messages and stacks too', () => {
  const safe = redact({ error: new Error('cannot reach redis://user:hunter2@host:6379/0') });
  expect(JSON.stringify(safe)).not.toContain('hunter2');
  expect(JSON.stringify(safe)).toContain('host:6379');
});

it('masks credentials wherever the cut of a long text falls into them', () => {
  const url = 'redis://user:hunter2@host:6379/0';
  for (let visible = 0; visible <= url.length; visible += 1) {
    const safe = redactText(`${'.'.repeat(2_000 - visible)}${url} and more`);
    expect(safe).not.toMatch(/u|:h/);
    expect(safe.length).toBeLessThan(2_020);
    expect(safe.endsWith('…')).toBe(true);
  }
});

it('keeps the chain of causes', () => {
  const safe = redact({ error: new Error('outer', { cause: new Error('inner') }) });
  expect(JSON.stringify(safe)).toContain('inner');
});
