import { createTickets } from '@holdfast/shared/direct-uploads';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import type { Dependencies } from './dependencies.js';
import { completeUpload } from './direct-uploads/complete-upload.js';
import { signTicket, ticketRequest } from './direct-uploads/sign-ticket.js';
import { serveLocalFiles } from './files/serve-file.js';
import { UPLOAD_PATH } from './http/access.js';
import type { ResponseHeader } from './http/described-headers.js';
import { route, type AnswerDescription, type Route } from './http/route.js';
import { editMedia, mediaChanges, removeMedia } from './media/change-media.js';
import { followMedia } from './media/follow-media.js';
import { uploadForm } from './media/media-fields.js';
import { listMedia, listQuery, showMedia } from './media/read-media.js';
import { countUploads, showMetrics } from './metrics/api-metrics.js';
import { buildDocument, inputSchema } from './openapi/document.js';
import { schemas } from './openapi/schemas.js';
import { consolePage, docsPage, serveFixed, servePage, type Page } from './pages/pages.js';
import { QUEUE_BOARD_PATH, queueBoard } from './queue-board/queue-board.js';
import { checkHealth, live, ready, showDatabaseStatus } from './status/show-status.js';
import * as sync from './sync/sync-routes.js';
import { uploadQuery, uploadRoute } from './uploads/upload-route.js';
import { receiveNotification } from './webhooks/receive-notification.js';

/**
 * Every route there is, one row each: the server mounts this table, and the OpenAPI document is made of it. That it holds
 * all of them, with their descriptions, is why it is long. Paths are tried in this order: those with fixed words before
 * those with an id.
 */
export function routes(deps: Dependencies): readonly Route[] {
  const starting = { query: sync.startSyncQuery, body: sync.startSyncBody, handle: sync.startSync(deps) };
  const table: readonly Route[] = [
    page('/', 'The console', consolePage),
    page('/console/:file', 'A part of the console', consolePage),
    page('/docs', 'This description as a page', docsPage),
    page('/docs/:file', 'A part of the page /docs', docsPage),
    route({
      ...openPage,
      path: '/openapi.json',
      summary: 'This description',
      answers: { 200: { body: schemas.OpenApi, headers: ['ETag'] }, 304: notModified },
      handle: serveFixed(() => JSON.stringify(buildDocument(table, deps.settings.access))),
    }),
    route({
      ...openStatus,
      path: '/livez',
      summary: 'Whether the process is up',
      answers: { 200: schemas.Alive },
      handle: live,
    }),
    route({
      ...openStatus,
      path: '/readyz',
      summary: 'Whether an upload would be accepted now',
      answers: { 200: schemas.Ready, 503: schemas.NotReady },
      handle: ready(deps),
    }),
    route({
      ...readStatus,
      path: '/metrics',
      summary: 'Metrics for Prometheus',
      answers: { 200: { type: 'text/plain' } },
      handle: showMetrics(deps),
    }),
    {
      ...writeUpload,
      path: UPLOAD_PATH,
      summary: 'Upload one file',
      description:
        'The file streams through to the media host. Its type is detected from its first bytes. After an error, nothing is left on the host.',
      query: uploadQuery,
      headers: ['Prefer', 'Idempotency-Key', 'Repr-Digest'],
      content: { type: 'multipart/form-data', schema: inputSchema(uploadForm) },
      answers: {
        200: {
          description: 'With `duplicates=return`: this client has uploaded these bytes before.',
          body: schemas.DuplicateAnswer,
          headers: ['Location', 'Idempotent-Replayed'],
        },
        ...accepted('Idempotent-Replayed'),
      },
      errors: [
        ...uploadErrors,
        'FILE_MISSING',
        'FILE_EMPTY',
        'TOO_MANY_FILES',
        'DIGEST_MISMATCH',
        'CLIENT_ABORTED',
        'IDEMPOTENCY_IN_PROGRESS',
        'IDEMPOTENCY_MISMATCH',
        'SHUTTING_DOWN',
      ],
      serve: countUploads(uploadRoute(deps.uploads, deps), deps.metrics.uploads),
    },
    route({
      ...openStatus,
      path: '/api/media/health',
      summary: 'Measured health',
      description:
        'Writes a test record, reads it back and removes it. Makes no metered call to the media host. What was measured in Redis, at `measuredAt`, is shared for half a second; on rented servers that bill commands for up to a minute, unless a command fails in the meantime. 503 is unhealthy.',
      answers: { 200: schemas.Health, 503: schemas.Health },
      handle: checkHealth(deps),
    }),
    route({
      ...readStatus,
      path: '/api/media/database/status',
      summary: 'What is stored and where',
      description: 'Also while Redis is unreachable: it says so.',
      answers: { 200: schemas.DatabaseStatus },
      handle: showDatabaseStatus(deps),
    }),
    route({
      ...readSync,
      path: '/api/media/sync/status',
      summary: 'The running, last and next sync',
      answers: { 200: schemas.SyncStatus },
      errors: ['CATALOG_UNAVAILABLE'],
      handle: sync.showSyncStatus(deps),
    }),
    route({
      ...readSync,
      path: '/api/media/sync/drift',
      summary: 'What the last full sync found different',
      description: 'Empty before the first full run. A dry run returns its own report in its result.',
      query: sync.driftQuery,
      answers: {
        200: {
          description: 'One page; or, as NDJSON, the whole report and two headers about it.',
          body: schemas.DriftPage,
          type: 'application/x-ndjson',
          headers: ['X-Report-Cut', 'X-Run-Id'],
        },
      },
      errors: ['CATALOG_UNAVAILABLE', 'INVALID_CURSOR'],
      handle: sync.showDrift(deps),
    }),
    route({ ...startSyncRow, ...starting, method: 'POST', summary: 'Start a sync' }),
    // Older clients use GET.
    route({
      ...startSyncRow,
      ...starting,
      method: 'GET',
      changes: true,
      summary: 'Start a sync, for older clients',
    }),
    route({
      ...readMedia,
      path: '/api/media',
      summary: 'List media files',
      description:
        'Cursors stay valid while files are added: no item appears twice, none is skipped. `total` is exact with at most one filter, otherwise null where counting is not cheap. `rebuilding` is present while an emptied catalog is being refilled.',
      query: listQuery,
      answers: { 200: schemas.MediaPage },
      errors: ['CATALOG_UNAVAILABLE', 'INVALID_CURSOR'],
      handle: listMedia(deps),
    }),
    route({
      ...readMedia,
      path: '/api/media/:id',
      summary: 'Show one record',
      params: mediaId,
      headers: ['If-None-Match'],
      answers: { 200: record, 304: notModified },
      errors: findErrors,
      handle: showMedia(deps),
    }),
    route({
      ...readMedia,
      path: '/api/media/:id/events',
      summary: 'Follow one record',
      description:
        'Server-Sent Events. `status` carries the record: one event now and one at each change. `deleted` carries `{id}` and ends the stream. A comment every 15 seconds keeps the connection open.',
      params: mediaId,
      answers: { 200: { type: 'text/event-stream' } },
      errors: [...findErrors, 'OVERLOADED'],
      handle: followMedia(deps),
    }),
    route({
      ...writeMedia,
      method: 'PATCH',
      summary: 'Edit one record',
      description:
        'A merge: fields that are left out stay as they are, null clears. Unknown fields are refused.',
      body: mediaChanges,
      answers: {
        200: { description: 'The record, as it is in the catalog and on the host.', ...record },
        202: { description: 'The record, which is still on its way to the host.', ...record },
      },
      errors: [...changeErrors, 'MEDIA_DELETING', 'HOST_REJECTED', 'HOST_TIMEOUT'],
      handle: editMedia(deps),
    }),
    route({
      ...writeMedia,
      method: 'DELETE',
      summary: 'Delete one file for good',
      description: 'The status is `deleting` until the host confirms; then the record is gone.',
      answers: { 202: schemas.MediaAnswer },
      errors: changeErrors,
      handle: removeMedia(deps),
    }),
    {
      method: 'ALL',
      path: QUEUE_BOARD_PATH,
      role: 'admin',
      page: true,
      tag: 'pages',
      summary: 'Bull Board, which answers all below its path',
      answers: {},
      serve: queueBoard(deps.queues),
    },
    ...directRoutes(deps),
    {
      ...readMedia,
      path: '/media/*path',
      page: true,
      summary: 'A file of the local host',
      description:
        'Links to these files keep working after a move to Cloudinary: they redirect to the address there.',
      params: { path: 'As in the `url` of a record.' },
      headers: ['Range', 'If-Range', 'If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since'],
      answers: {
        200: { type: '*/*', headers: fileHeaders },
        206: { type: '*/*', headers: [...fileHeaders, 'Content-Range'] },
        302: { headers: ['Location'] },
        304: { headers: fileHeaders },
      },
      errors: ['NOT_FOUND', 'REVISION_MISMATCH', 'RANGE_NOT_SATISFIABLE', 'CATALOG_UNAVAILABLE'],
      serve: serveLocalFiles(deps),
    },
  ];
  return table;
}

// What rows have in common.
const openPage = { method: 'GET', role: 'open', tag: 'pages' } as const;
const openStatus = { method: 'GET', role: 'open', tag: 'status' } as const;
const readStatus = { method: 'GET', role: 'read', tag: 'status' } as const;
const readSync = { method: 'GET', role: 'read', tag: 'sync' } as const;
const readMedia = { method: 'GET', role: 'read', publicRead: true, tag: 'media' } as const;
const record = { body: schemas.Media, headers: ['ETag'] } as const;
const mediaId = { id: 'A ULID; for assets found on the host `cld-` and the asset id.' };
const writeMedia = {
  path: '/api/media/:id',
  role: 'write',
  limited: true,
  tag: 'media',
  params: mediaId,
  headers: ['If-Match'],
} as const;
const writeUpload = { method: 'POST', role: 'write', limited: true, tag: 'uploads' } as const;
/** Both methods of one path. */
const startSyncRow = {
  path: '/api/media/sync-cloudinary',
  role: 'admin',
  limited: true,
  tag: 'sync',
  description:
    '`runId` names the run that will do the requested work. With `alreadyRunning`, that is the run after the current one; identical requests made before it starts share it. 200: the run ended within the time that `Prefer` allowed.',
  headers: ['Prefer'],
  answers: {
    200: { body: schemas.SyncRun, headers: ['Preference-Applied'] },
    202: schemas.SyncAccepted,
  },
  errors: ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE'],
} as const;

/** What only Cloudinary can do: take files from clients themselves, and notify us. */
function directRoutes(deps: Dependencies): readonly Route[] {
  const { host } = deps.settings;
  const tickets = createTickets(deps.redis.request, deps.keys);
  const direct = host.kind === 'cloudinary' && {
    sign: signTicket(deps.uploads, tickets),
    complete: completeUpload(deps.uploads, tickets, deps),
    notify: receiveNotification(deps, host),
  };
  const none = (): Promise<never> =>
    Promise.reject(
      new HoldfastError('NOT_SUPPORTED', 'this needs Cloudinary; here the files are in a local folder'),
    );
  return [
    route({
      ...writeUpload,
      path: '/api/media/uploads/sign',
      summary: 'Sign an upload straight to Cloudinary',
      description:
        'Post `fields` and the file, as multipart/form-data, to `url` before `expiresAt`; then call `complete`. Every field of the body is optional. On the local host: 501.',
      answers: { 200: schemas.Ticket },
      errors: [...redisErrors, 'FILE_TOO_LARGE', 'UNSUPPORTED_TYPE', 'NOT_SUPPORTED'],
      ...(direct ? { body: ticketRequest, handle: direct.sign } : { handle: none }),
    }),
    route({
      ...writeUpload,
      path: '/api/media/uploads/:id/complete',
      summary: 'Report that a direct upload is complete',
      params: { id: '`id` of the ticket.' },
      headers: ['Prefer'],
      answers: accepted(),
      errors: [...uploadErrors, 'MEDIA_DELETING', 'UPLOAD_INCOMPLETE', 'NOT_SUPPORTED'],
      handle: direct ? direct.complete : none,
    }),
    {
      method: 'POST',
      path: '/api/media/webhooks/cloudinary',
      role: 'open',
      tag: 'uploads',
      summary: 'Receive a notification from Cloudinary',
      description:
        'Open to everyone; the signature decides. Set this as the notification URL of the product environment.',
      headers: ['X-Cld-Timestamp', 'X-Cld-Signature'],
      content: { type: 'application/json', schema: { type: 'object' } },
      answers: { 200: schemas.NotificationReceived },
      errors: [...redisErrors, 'INVALID_SIGNATURE', 'CLIENT_ABORTED', 'NOT_SUPPORTED'],
      serve: direct ? direct.notify : none,
    },
  ];
}

function page(path: string, summary: string, shown: Page): Route {
  const isPart = path.endsWith(':file');
  return {
    ...openPage,
    path,
    summary,
    params: isPart ? { file: 'Name of a script or a style sheet of the page.' } : {},
    answers: { 200: { type: isPart ? '*/*' : 'text/html', headers: ['ETag'] }, 304: notModified },
    errors: isPart ? ['NOT_FOUND'] : [],
    handle: servePage(shown),
  };
}

const notModified = { headers: ['ETag'] } as const;
const fileHeaders = ['ETag', 'Last-Modified', 'Accept-Ranges'] as const;

/** Of an upload, however its bytes came. */
function accepted(...more: readonly ResponseHeader[]): Readonly<Record<201 | 202, AnswerDescription>> {
  const headers = ['Location', 'Preference-Applied', ...more] as const;
  const answer = { body: schemas.MediaAnswer, headers };
  return {
    201: { description: 'Verified, within the time that `Prefer` allowed.', ...answer },
    202: { description: 'Permanent; the record is being verified.', ...answer },
  };
}

const findErrors = ['CATALOG_UNAVAILABLE', 'MEDIA_NOT_FOUND', 'CATALOG_REBUILDING'] as const;
const changeErrors = [...findErrors, 'MEDIA_UNSETTLED', 'REVISION_MISMATCH', 'QUEUE_UNAVAILABLE'] as const;
const redisErrors = ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE', 'CATALOG_REBUILDING'] as const;
/** Of an upload, however its bytes came. */
const uploadErrors = [
  ...redisErrors,
  'MEDIA_NOT_FOUND',
  'FILE_TOO_LARGE',
  'UNSUPPORTED_TYPE',
  'UPLOAD_EXPIRED',
  'HOST_REJECTED',
  'HOST_CONTENT_MISMATCH',
  'HOST_ALTERS_UPLOADS',
  'HOST_TIMEOUT',
  'HOST_LIMIT',
  'STORAGE_FULL',
] as const satisfies readonly ErrorCode[];
