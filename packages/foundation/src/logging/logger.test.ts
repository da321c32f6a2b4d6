import { expect, it, vi } from 'vitest';
import { createLogger, type Logger } from './index.js';

/** The lines that it writes. */
function linesOf(use: (log: Logger) => void, process?: string): Record<string, unknown>[] {
  const lines: string[] = [];
  const { _stdout: output } = console as unknown as { _stdout: NodeJS.WriteStream };
  const write = vi.spyOn(output, 'write').mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  try {
    use(createLogger({ level: 'info', format: 'json' }, process));
  } finally {
    write.mockRestore();
  }
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

it('writes the event, the level, the time and the process beside the fields', () => {
  const finding = { code: 'NO_REPLICAS', message: 'fewer replicas are connected' };
  const [line] = linesOf((log) => log.child({ requestId: 'r1' }).warn('redis.finding', { finding }), 'api');
  expect(line).toEqual({
    message: 'redis.finding',
    level: 'warn',
    timestamp: expect.stringMatching(/^\d{4}-/),
    process: 'api',
    requestId: 'r1',
    finding,
  });
});

it('rejects a field with the name of one that each line has', () => {
  const lines = linesOf((log) => {
    // @ts-expect-error -- it would be lost: the name of the event stands there
    log.info('a', { message: 'why' });
    // @ts-expect-error -- as above
    log.info('b', { level: 'high' });
    // @ts-expect-error -- as above
    log.child({ timestamp: 'never' });
    // @ts-expect-error -- as above
    log.child({ process: 'another' });
  });
  expect(lines).toMatchObject([
    { message: 'a', level: 'info' },
    { message: 'b', level: 'info' },
  ]);
});
