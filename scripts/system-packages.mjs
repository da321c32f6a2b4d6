import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { run, say } from './run-command.mjs';

const isProgram = (file) => {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
};

/** Whether one of the programs is on PATH. */
const onPath = (...names) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .some((folder) => names.some((name) => isProgram(join(folder, name))));

const canUseApt = () => existsSync('/etc/debian_version') && onPath('apt-get') && process.getuid?.() === 0;

/**
 * Sees to it that one of `programs` is on PATH; as root on Debian and Ubuntu it installs `packageName`.
 * Resolves with whether it is there. Where we cannot install it, the caller decides what that means.
 */
export const ensureProgram = async (programs, packageName) => {
  if (onPath(...programs)) return true;
  if (!canUseApt()) return false;
  say(`Installing ${packageName} with apt-get ...`);
  const options = { quiet: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
  await run('apt-get', ['update', '-qq'], options);
  await run('apt-get', ['install', '-qq', '-y', '--no-install-recommends', packageName], options);
  return onPath(...programs);
};
