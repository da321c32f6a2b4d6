import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = fileURLToPath(new URL('..', import.meta.url));

const localPrograms = join(root, 'node_modules', '.bin');

/** Turbo calls pnpm by name, and a bare machine has it only among the workspace's own programs. */
const environment = () => ({
  ...process.env,
  PATH: `${localPrograms}${delimiter}${process.env.PATH ?? ''}`,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
});

/** One line to the person at the terminal. */
export const say = (line) => process.stdout.write(`${line}\n`);

/**
 * Runs a program in the root folder and resolves with its exit code (127 where it does not exist).
 * `quiet` keeps its output back and shows it only when it failed. A signal is passed on, and ends this process when
 * the program has ended, whatever it made of the signal.
 */
export const run = (command, args, { quiet = false, env = {} } = {}) =>
  new Promise((resolve) => {
    let child;
    let interruptedBy;
    const passOn = (signal) => {
      interruptedBy = signal;
      child?.kill(signal);
    };
    // Before the program begins: a signal between the two would end this process alone.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, passOn);
    child = spawn(command, args, {
      cwd: root,
      env: { ...environment(), ...env },
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    });
    const output = [];
    child.stdout?.on('data', (chunk) => output.push(chunk));
    child.stderr?.on('data', (chunk) => output.push(chunk));
    const finish = (code) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, passOn);
      if (interruptedBy !== undefined) process.exit(128 + constants.signals[interruptedBy]);
      if (quiet && code !== 0) process.stderr.write(Buffer.concat(output));
      resolve(code);
    };
    child.on('error', (error) => {
      say(`${command} cannot be run: ${error.message}`);
      finish(127);
    });
    child.on('close', (code, signal) => finish(code ?? 128 + (constants.signals[signal] ?? 0)));
  });

/** Runs a program and ends this process with its exit code when that is not 0. */
export const runOrExit = async (command, args, options) => {
  const code = await run(command, args, options);
  if (code !== 0) process.exit(code);
};
