import type { Operation, Operations } from './operation.js';

const start: Operation = {
  tag: 'sync',
  summary: 'Start a sync',
  description:
    '`runId` names the run that does the asked work: with `alreadyRunning` it is the one after the running one, and the same for all that ask for the same before it begins.',
  query: {
    mode: { description: '`full` lists every asset, `incremental` what changed since the last run.' },
    dryRun: { description: 'Only report.' },
    force: { description: 'Let a change through that a run held back because it was so large.' },
  },
  bodyFields: {
    mode: { description: 'As in the query, which counts where both say it.' },
    dryRun: { description: 'As in the query.' },
    force: { description: 'As in the query.' },
  },
  headers: ['Prefer'],
  answers: {
    200: {
      description: 'The run, which ended within the time that `Prefer` allowed.',
      schema: 'SyncRun',
      headers: ['Preference-Applied'],
    },
    202: { description: 'Asked for.', schema: 'SyncAccepted' },
  },
  errors: ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE'],
};

export const syncOperations: Operations = {
  'POST /api/media/sync-cloudinary': start,
  'GET /api/media/sync-cloudinary': { ...start, summary: 'Start a sync, as older clients call it' },
  'GET /api/media/sync/status': {
    tag: 'sync',
    summary: 'Running, last and next sync',
    answers: { 200: { description: 'What is known of the syncs of this deployment.', schema: 'SyncStatus' } },
    errors: ['CATALOG_UNAVAILABLE'],
  },
  'GET /api/media/sync/drift': {
    tag: 'sync',
    summary: 'What the last full sync found different',
    description: 'Empty before the first full run. A dry run returns its own report in its result.',
    query: {
      limit: { description: 'Items a page.', type: 'integer', minimum: 1, maximum: 1_000, default: 100 },
      cursor: { description: '`nextCursor` of the page before.' },
      format: { description: '`ndjson` streams the whole report, one item a line.' },
    },
    answers: {
      200: {
        description: 'One page, or the whole with two headers.',
        schema: 'DriftPage',
        type: 'application/x-ndjson',
        headers: ['X-Report-Cut', 'X-Run-Id'],
      },
    },
    errors: ['CATALOG_UNAVAILABLE', 'INVALID_CURSOR'],
  },
};
