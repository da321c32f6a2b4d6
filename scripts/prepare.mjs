// What a bare machine lacks: system programs, the workspace's packages, a build.
import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { root, run, runOrExit, say } from './run-command.mjs';

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

const stamp = join(root, 'node_modules', '.holdfast-install');

/** What the last finished install was made from; written after it, so that an interrupted one is repeated. */
const fingerprint = () => {
  const hash = createHash('sha256').update(`${process.version} ${process.platform} ${process.arch}`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json']) {
    hash.update(readFileSync(join(root, file)));
  }
  return hash.digest('hex');
};

const upToDate = () => existsSync(stamp) && readFileSync(stamp, 'utf8') === fingerprint();

/** Installs the workspace's packages exactly as locked, unless that is done already. Needs Node and npm only. */
export const installWorkspace = async () => {
  if (upToDate()) return;
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // --prod=false: NODE_ENV=production must not leave the build without its compiler.
  const install = ['install', '--frozen-lockfile', '--prod=false', '--reporter=append-only'];
  // Not on stdout: that of `holdfast -- <command> --json` is one document.
  process.stderr.write('Installing packages ...\n');
  // CI=true: pnpm must not ask whether it may replace a node_modules folder made by another tool.
  const options = { quiet: true, env: { CI: 'true' } };
  const ownPnpm = join(root, 'node_modules', '.bin', 'pnpm');
  if (existsSync(ownPnpm)) await runOrExit(ownPnpm, install, options);
  else await runOrExit('npx', ['--yes', packageManager, ...install], options);
  writeFileSync(stamp, fingerprint());
};

/** Builds every package that has something to build; what did not change comes from turbo's cache. */
export const buildWorkspace = () =>
  runOrExit('turbo', ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'], { quiet: true });
