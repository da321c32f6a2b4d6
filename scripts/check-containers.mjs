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
  {
    name: 'Redis asks for the password, also its health check, and both programs have it',
    holds: ({ redis, api, worker }) =>
      follows(redis.command, '--requirepass', 'pass') &&
      redis.environment.REDISCLI_AUTH === 'pass' &&
      [api, worker].every((one) => one.environment.REDIS_URL === 'redis://:pass@redis:6379'),
  },
  {
    name: 'no container has a capability or gets one, and nothing but /data and /tmp is written',
    holds: (services) =>
      Object.values(services).every(
        (one) =>
          one.cap_drop?.includes('ALL') &&
          !one.cap_add &&
          one.security_opt?.includes('no-new-privileges:true') &&
          one.read_only === true,
      ),
  },
  // Its start file gives up root, which takes capabilities.
  { name: 'Redis starts without root', holds: ({ redis }) => redis.user === 'redis' },
  {
    name: 'memory is bounded, and Redis refuses writes before it reaches its bound',
    holds: (services) =>
      Object.values(services).every((one) => Number(one.mem_limit) >= 512 * 1024 ** 2) &&
      follows(services.redis.command, '--maxmemory', '1gb') &&
      Number(services.redis.mem_limit) === 2 * 1024 ** 3,
  },
];
const follows = (list, name, value) => list[list.indexOf(name) + 1] === value;

const composeProblems = () => {
  const secrets = { API_KEYS: 'web:admin:secret', REDIS_PASSWORD: 'pass' };
  const resolved = compose(secrets);
  if (resolved.error) return [`docker-compose cannot be run: ${resolved.error.message}`];
  if (resolved.status !== 0) return [resolved.stderr.trim()];
  const { services } = JSON.parse(resolved.stdout);
  const broken = promises
    .filter(({ holds }) => !holds(services))
    .map(({ name }) => `docker-compose.yml: not true: ${name}`);
  const needless = Object.keys(secrets).filter((name) => compose({ ...secrets, [name]: '' }).status === 0);
  return [...broken, ...needless.map((name) => `docker-compose.yml: starts without ${name}`)];
};

const problems = [...dockerfileProblems(), ...composeProblems()];
for (const problem of problems) say(problem);
if (problems.length === 0) say('Dockerfile and docker-compose.yml are valid.');
process.exitCode = problems.length === 0 ? 0 : 1;
