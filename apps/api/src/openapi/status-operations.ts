import type { Operations } from './operation.js';

export const statusOperations: Operations = {
  'GET /api/media/health': {
    tag: 'status',
    summary: 'Measured health',
    description:
      'Writes a test record, reads it back and removes it. Makes no metered call to the media host.',
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
    answers: { 200: { description: 'OpenAPI 3.1.', schema: 'OpenApi' } },
  },
};
