import { describe, expect, it } from 'vitest';
import { HoldfastError } from '@holdfast/foundation/errors';
import { type Command, runCommand, UsageError } from './run-command.js';

const greet: Command = {
  summary: 'greet somebody',
  details: 'Greets once.',
  options: {
    name: { type: 'string', value: 'NAME', description: 'who is greeted' },
    loud: { type: 'boolean', description: 'in capitals' },
  },
  run: (_env, { name, loud }, signal) => {
    signal.throwIfAborted();
    if (name === undefined) throw new UsageError('--name is missing');
    if (name === 'nobody')
      throw new HoldfastError('CONFIG_INVALID', 'no such name', { errors: [{ path: 'NAME', message: 'x' }] });
    const text = loud === true ? String(name).toUpperCase() : String(name);
    return Promise.resolve({ exitCode: name === 'half' ? 1 : 0, report: { greeted: text }, text });
  },
};

async function run(...argv: string[]) {
  return runUntil(new AbortController().signal, ...argv);
}

async function runUntil(signal: AbortSignal, ...argv: string[]) {
  const output = { stdout: '', stderr: '' };
  const to = (stream: keyof typeof output) => ({ write: (text: string) => (output[stream] += text) });
  const terminal = { env: {}, stdout: to('stdout'), stderr: to('stderr') };
  const code = await runCommand({ greet }, argv, terminal, signal);
  return { code, ...output };
}

describe('a command', () => {
  it('prints text for people, and with --json one document and nothing else', async () => {
    expect(await run('greet', '--name', 'Ada', '--loud')).toEqual({ code: 0, stdout: 'ADA\n', stderr: '' });
    const { code, stdout } = await run('greet', '--name=half', '--json');
    expect({ code, report: JSON.parse(stdout) as unknown }).toEqual({ code: 1, report: { greeted: 'half' } });
  });

  it('explains a failure on stderr, and with --json in the document too', async () => {
    const failed = await run('greet', '--name', 'nobody');
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('CONFIG_INVALID: no such name');
    const { stdout } = await run('greet', '--name', 'nobody', '--json');
    const error = {
      code: 'CONFIG_INVALID',
      message: 'no such name',
      errors: [{ path: 'NAME', message: 'x' }],
    };
    expect(JSON.parse(stdout)).toEqual({ error });
  });

  it('reports an interruption, not an unexpected error', async () => {
    const { code, stdout, stderr } = await runUntil(AbortSignal.abort(), 'greet', '--name', 'Bob', '--json');
    expect({ code, report: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 1,
      report: { error: { code: 'SHUTTING_DOWN' } },
    });
    expect(stderr).toContain('interrupted');
  });

  it('helps, each command and all of them', async () => {
    const one = await run('greet', '--help');
    expect(one).toMatchObject({ code: 0, stderr: '' });
    for (const text of [
      'greet [options]',
      'greet somebody',
      'Greets once.',
      '--name NAME',
      '--json',
      '--help',
    ])
      expect(one.stdout).toContain(text);
    expect(await run('greet', '-h')).toEqual(one);
    for (const all of [await run('--help'), await run('-h'), await run('help')]) {
      expect(all).toMatchObject({ code: 0, stderr: '' });
      expect(all.stdout).toMatch(/greet +greet somebody/);
    }
  });

  it.each([
    [],
    ['fly'],
    ['constructor'],
    ['greet'],
    ['greet', '--slow'],
    ['greet', '--name'],
    ['greet', 'Ada'],
  ])('answers wrong use with the help and code 2 (%s %s)', async (...argv) => {
    const { code, stdout, stderr } = await run(...argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Usage: npm run -s holdfast');
    const asJson = await run(...argv, '--json');
    expect(asJson).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage: npm run -s holdfast') });
    expect(JSON.parse(asJson.stdout)).toMatchObject({ error: { code: 'INVALID_REQUEST' } });
  });
});
