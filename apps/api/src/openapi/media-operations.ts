import { mediaLimits } from '@holdfast/shared/media';
import type { Operations } from './operation.js';

const id = { id: { description: 'A ULID, or `cld-` and the asset id for assets found on the host.' } };
const reads = ['CATALOG_UNAVAILABLE'] as const;
const finds = [...reads, 'MEDIA_NOT_FOUND', 'CATALOG_REBUILDING'] as const;
const unsettled = ['MEDIA_DELETING', 'MEDIA_UNSETTLED', 'REVISION_MISMATCH'] as const;
const host = ['HOST_REJECTED', 'HOST_TIMEOUT'] as const;
const file = ['ETag', 'Last-Modified'] as const;

export const mediaOperations: Operations = {
  'GET /api/media': {
    tag: 'media',
    summary: 'List media',
    description:
      'Cursors stay valid while media are added: no item twice, none skipped. `total` is exact without or with one filter, else null where counting is not cheap. `rebuilding` is there while an emptied catalog is refilled.',
    query: {
      limit: { description: 'Items a page.', type: 'integer', minimum: 1, maximum: 100, default: 20 },
      cursor: { description: '`nextCursor` of the page before.' },
      type: { description: 'Kind of the file; audio counts as video.' },
      category: { description: 'Exactly this category.' },
      tag: { description: 'Has this tag.' },
      status: { description: 'Has this status.' },
      sha256: {
        description: 'Has these bytes: SHA-256 in hex. Pages of many copies are in the order of ids.',
      },
      order: { description: 'By time of creation.' },
    },
    answers: { 200: { description: 'One page.', schema: 'MediaPage' } },
    errors: [...reads, 'INVALID_CURSOR'],
  },
  'GET /api/media/:id': {
    tag: 'media',
    summary: 'Show one media',
    path: id,
    headers: ['If-None-Match'],
    answers: {
      200: { description: 'The record.', schema: 'Media', headers: ['ETag'] },
      304: { description: 'The client has it already.', headers: ['ETag'] },
    },
    errors: finds,
  },
  'GET /api/media/:id/events': {
    tag: 'media',
    summary: 'Follow one media',
    description:
      'Server-Sent Events. `status`, with the record as its data: one now and one at each change. `deleted` with `{id}`, then the end. A comment every 15 seconds keeps the connection.',
    path: id,
    answers: { 200: { description: 'A stream that stays open.', type: 'text/event-stream' } },
    errors: [...finds, 'OVERLOADED'],
  },
  'PATCH /api/media/:id': {
    tag: 'media',
    summary: 'Edit one media',
    description: 'A merge: what is not named stays, null clears. Unknown fields are refused.',
    path: id,
    headers: ['If-Match'],
    bodyFields: {
      title: { maxLength: mediaLimits.title },
      description: { maxLength: mediaLimits.description },
      category: { maxLength: mediaLimits.category },
    },
    answers: {
      200: { description: 'The record, which catalog and host have.', schema: 'Media', headers: ['ETag'] },
      202: {
        description: 'The record. The catalog has it; it is still on its way to the host.',
        schema: 'Media',
        headers: ['ETag'],
      },
    },
    errors: [...finds, ...unsettled, ...host, 'QUEUE_UNAVAILABLE'],
  },
  'DELETE /api/media/:id': {
    tag: 'media',
    summary: 'Delete one media',
    path: id,
    headers: ['If-Match'],
    answers: {
      202: { description: 'It is `deleting` until the host confirms, then gone.', schema: 'MediaAnswer' },
    },
    errors: [...finds, 'MEDIA_UNSETTLED', 'REVISION_MISMATCH', 'QUEUE_UNAVAILABLE'],
  },
  'GET /media/*path': {
    tag: 'media',
    summary: 'A file of the local host',
    description: 'Where Cloudinary took the place of the local host, links to its files go on working.',
    path: { path: { description: 'As `url` of a record has it.' } },
    headers: ['Range', 'If-Range', 'If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since'],
    answers: {
      200: { description: 'The bytes.', type: '*/*', headers: [...file, 'Accept-Ranges'] },
      206: {
        description: 'The range that was asked for.',
        type: '*/*',
        headers: [...file, 'Accept-Ranges', 'Content-Range'],
      },
      302: { description: 'The file was moved to Cloudinary: its address there.', headers: ['Location'] },
      304: { description: 'The client has it already.', headers: file },
    },
    errors: ['NOT_FOUND', 'REVISION_MISMATCH', 'RANGE_NOT_SATISFIABLE', 'CATALOG_UNAVAILABLE'],
  },
};
