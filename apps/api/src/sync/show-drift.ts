import { z } from 'zod';
import type { DriftPage, SyncState } from '@holdfast/shared/sync';
import type { Answer, Input } from '../http/endpoint.js';
import { pageLimit } from '../http/request-input.js';

const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1_000;
const STREAMED_AT_ONCE = 500;

export const driftQuery = z
  .strictObject({
    limit: pageLimit(MAX_LIMIT).optional().meta({
      description: 'Items per page.',
      type: 'integer',
      minimum: 1,
      maximum: MAX_LIMIT,
      default: DEFAULT_LIMIT,
    }),
    cursor: z
      .string('must be given once')
      .max(2_000, 'is too long')
      .optional()
      .describe('`nextCursor` of the previous page.'),
    format: z
      .enum(['json', 'ndjson'], 'must be json or ndjson')
      .default('json')
      .describe('`ndjson` streams the whole report, one item per line.'),
  })
  .superRefine(({ limit, cursor, format }, context) => {
    if (format === 'json') return;
    for (const [name, value] of Object.entries({ limit, cursor }))
      if (value !== undefined)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: 'has no meaning with format=ndjson, which sends all',
        });
  });

export interface DriftDependencies {
  syncState: Pick<SyncState, 'readDrift'>;
}

/** What the last full run found different: a page, or all of it line by line. */
export const showDrift =
  ({ syncState }: DriftDependencies) =>
  async ({
    query: { limit = DEFAULT_LIMIT, cursor, format },
  }: Input<never, z.output<typeof driftQuery>>): Promise<Answer> => {
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
    const page = await syncState.readDrift({ limit, ...(cursor === undefined ? {} : { cursor }) });
    const { runId, items, nextCursor, counts, cut } = page;
    return { status: 200, body: { runId, items, nextCursor, counts, cut } };
  };

/** Breaks off where a newer report takes the place of this one: two halves are no whole. */
async function* lines(first: DriftPage, syncState: Pick<SyncState, 'readDrift'>): AsyncGenerator<string> {
  let page = first;
  for (;;) {
    if (page.items.length > 0) yield page.items.map((item) => `${JSON.stringify(item)}\n`).join('');
    if (page.nextCursor === null) return;
    page = await syncState.readDrift({ limit: STREAMED_AT_ONCE, cursor: page.nextCursor });
  }
}
