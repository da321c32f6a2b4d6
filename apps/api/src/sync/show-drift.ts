import { z } from 'zod';
import type { DriftPage, SyncState } from '@holdfast/shared/sync';
import type { Answer, Input } from '../http/route.js';
import { pageLimit } from '../http/request-input.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const STREAMED_AT_ONCE = 500;

export const driftQuery = z.strictObject({
  limit: pageLimit(MAX_LIMIT).default(DEFAULT_LIMIT).meta({
    description: 'Items per page.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_LIMIT,
    default: DEFAULT_LIMIT,
  }),
  cursor: z
    .string('must be given once')
    .max(2_000, 'is too long')
    .exactOptional()
    .describe('`nextCursor` of the previous page.'),
  format: z
    .enum(['json', 'ndjson'], 'must be json or ndjson')
    .default('json')
    .describe('`ndjson` streams the whole report, one item per line.'),
});

export interface DriftDependencies {
  syncState: Pick<SyncState, 'readDrift'>;
}

/** What the last full run found different: a page, or all of it line by line. */
export const showDrift =
  ({ syncState }: DriftDependencies) =>
  async ({ query: { format, ...page } }: Input<never, z.output<typeof driftQuery>>): Promise<Answer> => {
    if (format === 'ndjson') {
      const first = await syncState.readDrift({ limit: STREAMED_AT_ONCE });
      return {
        status: 200,
        headers: {
          'Content-Type': 'application/x-ndjson',
          'X-Report-Cut': String(first.cut),
          ...(first.runId === null ? {} : { 'X-Run-Id': first.runId }),
        },
        stream: lines(first, syncState),
      };
    }
    const { runId, items, nextCursor, counts, cut } = await syncState.readDrift(page);
    return { status: 200, body: { runId, items, nextCursor, counts, cut } };
  };

/** Ends early when a newer report replaces this one: two halves of different reports do not make one. */
async function* lines(first: DriftPage, syncState: Pick<SyncState, 'readDrift'>): AsyncGenerator<string> {
  let page = first;
  for (;;) {
    if (page.items.length > 0) yield page.items.map((item) => `${JSON.stringify(item)}\n`).join('');
    if (page.nextCursor === null) return;
    page = await syncState.readDrift({ limit: STREAMED_AT_ONCE, cursor: page.nextCursor });
  }
}
