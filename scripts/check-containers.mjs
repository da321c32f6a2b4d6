// Checks Dockerfile and docker-compose.yml without a Docker engine: node scripts/check-containers.mjs
// The Dockerfile goes through the parser and the rules of Docker's language server, the compose file through compose.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { validate, ValidationSeverity } from 'dockerfile-utils';
import { root, say } from './run-command.mjs';

const strict = {
  deprecatedMaintainer: ValidationSeverity.ERROR,
  instructionCasing: ValidationSeverity.ERROR,
  instructionCmdMultiple: ValidationSeverity.ERROR,
  instructionEntrypointMultiple: ValidationSeverity.ERROR,
  instructionHealthcheckMultiple: ValidationSeverity.ERROR,
  instructionJSONInSingleQuotes: ValidationSeverity.ERROR,
  instructionWorkdirRelative: ValidationSeverity.ERROR,
};

const dockerfileProblems = () =>
  validate(readFileSync(join(root, 'Dockerfile'), 'utf8'), strict).map(
    ({ message, range }) =>
      `Dockerfile:${range.start.line + 1} ${typeof message === 'string' ? message : message.value}`,
  );

const compose = (env) =>
  spawnSync('docker-compose', ['--file', join(root, 'docker-compose.yml'), 'config', '--format', 'json'], {
    encoding: 'utf8',
    // Only these: neither the shell's settings nor a developer's .env decide about the check.
    env: { PATH: process.env.PATH, COMPOSE_DISABLE_ENV_FILE: '1', ...env },
  });

/** What must hold for the resolved file; each entry is a promise of the documentation. */
const promises = [
  { name: 'Redis appends', holds: ({ redis }) => follows(redis.command, '--appendonly', 'yes') },
  {
    name: 'Redis syncs every write',
    holds: ({ redis }) => follows(redis.command, '--appendfsync', 'always'),
  },
  {
    name: 'Redis evicts nothing',
    holds: ({ redis }) => follows(redis.command, '--maxmemory-policy', 'noeviction'),
  },
  {
    name: 'the data of Redis is on a volume',
    holds: ({ redis }) => redis.volumes.some((one) => one.target === '/data'),
  },
  { name: 'the worker can be scaled', holds: ({ worker }) => !worker.container_name && !worker.ports },
  { name: 'both programs come from one image', holds: ({ api, worker }) => api.image === worker.image },
  {
    name: 'both have time to stop',
    holds: ({ api, worker }) => [api, worker].every((one) => one.stop_grace_period === '30s'),
  },
  { name: 'the API has its keys', holds: ({ api }) => api.environment.API_KEYS === 'web:admin:secret' },
];
const follows = (list, name, value) => list[list.indexOf(name) + 1] === value;

const composeProblems = () => {
  const resolved = compose({ API_KEYS: 'web:admin:secret' });
  if (resolved.error) return [`docker-compose cannot be run: ${resolved.error.message}`];
  if (resolved.status !== 0) return [resolved.stderr.trim()];
  const { services } = JSON.parse(resolved.stdout);
  const broken = promises
    .filter(({ holds }) => !holds(services))
    .map(({ name }) => `docker-compose.yml: not true: ${name}`);
  const withoutKeys = compose({});
  return withoutKeys.status === 0 ? [...broken, 'docker-compose.yml: starts without API_KEYS'] : broken;
};

const problems = [...dockerfileProblems(), ...composeProblems()];
for (const problem of problems) say(problem);
if (problems.length === 0) say('Dockerfile and docker-compose.yml are valid.');
process.exitCode = problems.length === 0 ? 0 : 1;
