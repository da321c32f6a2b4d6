import { spawnSync } from 'node:child_process';
import { startRedisSandbox } from '@holdfast/shared/testing';
import { describe } from 'vitest';
import { coreSuite } from './harness/core-suite.js';

const installed = spawnSync('valkey-server', ['--version']).status === 0;
// Skipped only where it is not installed; CI installs it, and there its absence is a failure.
const skipped = !installed && process.env['CI'] === undefined;

describe.skipIf(skipped)('on Valkey, where valkey-server is installed', () => {
  coreSuite(() => startRedisSandbox([], 'valkey-server'), { storageType: 'Redis', level: 'fsynced' });
});
