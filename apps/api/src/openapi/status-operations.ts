import type { Operation, Operations } from './operation.js';

const page = (summary: string, type: string): Operation => ({
  tag: 'pages',
  summary,
  answers: {
    200: { description: 'Sent as it is.', type, headers: ['ETag'] },
    304: { description: 'The browser has it already.', headers: ['ETag'] },
  },
});
const part = (summary: string): Operation => ({
  ...page(summary, '*/*'),
  path: { file: { description: 'Name of a script or a style sheet of the page.' } },
  errors: ['NOT_FOUND'],
});

export const statusOperations: Operations = {
  'GET /api/media/health': {
    tag: 'status',
    summary: 'Measured health',
    description:
      'Writes a test record, reads it back and removes it. Makes no metered call to the media host. What was measured of Redis, at `measuredAt`, is shared for half a second; on rented servers that bill commands for up to a minute, unless a client changes something or anything fails meanwhile.',
    answers: {
      200: { description: 'Healthy or degraded.', schema: 'Health' },
      503: { description: 'Unhealthy.', schema: 'Health' },
    },
  },
  'GET /api/media/database/status': {
    tag: 'status',
    summary: 'What is stored and where',
    answers: { 200: { description: 'Also while Redis is away: then it says so.', schema: 'DatabaseStatus' } },
  },
  'GET /livez': {
    tag: 'status',
    summary: 'Is the process up?',
    answers: { 200: { description: 'It is.', schema: 'Alive' } },
  },
  'GET /readyz': {
    tag: 'status',
    summary: 'Would an upload be taken now?',
    answers: {
      200: { description: 'It would.', schema: 'Ready' },
      503: { description: 'It would be refused, with this code.', schema: 'NotReady' },
    },
  },
  'GET /metrics': {
    tag: 'status',
    summary: 'Metrics for Prometheus',
    answers: { 200: { description: 'Prometheus text.', type: 'text/plain' } },
  },
  'GET /openapi.json': {
    tag: 'pages',
    summary: 'This description',
    answers: {
      200: { description: 'OpenAPI 3.1.', schema: 'OpenApi', headers: ['ETag'] },
      304: { description: 'The client has it already.', headers: ['ETag'] },
    },
  },
  'GET /docs': page('This description as a page', 'text/html'),
  'GET /docs/:file': part('Part of the page /docs'),
  'GET /': page('The console', 'text/html'),
  'GET /console/:file': part('Part of the console'),
};
