import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runOrExit } from './run-command.mjs';

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
