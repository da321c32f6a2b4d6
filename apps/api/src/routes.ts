import type { z } from 'zod';
import type { CloudinarySettings } from '@holdfast/foundation/config';
import { createTickets } from '@holdfast/shared/direct-uploads';
import { HoldfastError, type ErrorCode } from '@holdfast/foundation/errors';
import { mediaLimits, type EditableFields } from '@holdfast/shared/media';
import type { Dependencies } from './dependencies.js';
import { completeUpload } from './direct-uploads/complete-upload.js';
import { signTicket, ticketRequest } from './direct-uploads/sign-ticket.js';
import { serveLocalFiles } from './files/serve-file.js';
import { UPLOAD_PATH } from './http/access.js';
import type { ResponseHeader } from './http/described-headers.js';
import { route, type AnswerDescription, type Route } from './http/route.js';
import { mediaChanges, editMedia } from './media/edit-media.js';
import { followMedia } from './media/follow-media.js';
import { listMedia, listQuery, showMedia } from './media/read-media.js';
import { removeMedia } from './media/remove-media.js';
import { countUploads, showMetrics } from './metrics/api-metrics.js';
import { showDocument } from './openapi/document.js';
import { schemas } from './openapi/schemas.js';
import { consolePage, docsPage, servePage, servePageFile, type Page } from './pages/pages.js';
import { QUEUE_BOARD_PATH, queueBoard } from './queue-board/queue-board.js';
import { checkHealth, live, ready, showDatabaseStatus } from './status/show-status.js';
import {
  driftQuery,
  showDrift,
  showSyncStatus,
  startSync,
  startSyncBody,
  startSyncQuery,
} from './sync/sync-routes.js';
import { uploadQuery, uploadRoute } from './uploads/upload-route.js';
import { receiveNotification } from './webhooks/receive-notification.js';

/**
 * Every route there is, one row each: the server mounts this table, and the OpenAPI document is made of it. That it holds
 * all of them, with their descriptions, is why it is long. Paths are tried in this order: those with fixed words before
 * those with an id.
 */
export function routes(deps: Dependencies): readonly Route[] {
  const { settings } = deps;
  const read = { method: 'GET', role: 'read' } as const;
  const upload = uploadRoute(deps.uploads, deps);
  const sync = { query: startSyncQuery, body: startSyncBody, handle: startSync(deps) };
  const table: readonly Route[] = [
    page('/', 'The console', consolePage),
    pageFile('/console/:file', 'A part of the console', consolePage),
    page('/docs', 'This description as a page', docsPage),
    pageFile('/docs/:file', 'A part of the page /docs', docsPage),
    route({
      ...open,
      path: '/openapi.json',
      tag: 'pages',
      summary: 'This description',
      answers: {
        200: answer('OpenAPI 3.1.', schemas.OpenApi, 'ETag'),
        304: notModified,
      },
      handle: showDocument(() => table, settings.access),
    }),
    route({
      ...open,
      path: '/livez',
      tag: 'status',
      summary: 'Whether the process is up',
      answers: { 200: answer('It is.', schemas.Alive) },
      handle: live,
    }),
    route({
      ...open,
      path: '/readyz',
      tag: 'status',
      summary: 'Whether an upload would be accepted now',
      answers: {
        200: answer('It would.', schemas.Ready),
        503: answer('It would be refused, with this code.', schemas.NotReady),
      },
      handle: ready(deps),
    }),
    route({
      ...read,
      path: '/metrics',
      tag: 'status',
      summary: 'Metrics for Prometheus',
      answers: { 200: { description: 'Prometheus text.', type: 'text/plain' } },
      handle: showMetrics(deps),
    }),
    {
      ...write,
      method: 'POST',
      path: UPLOAD_PATH,
      tag: 'uploads',
      summary: 'Upload one file',
      description:
        'The file streams through to the media host. Its type is detected from its first bytes. After an error, nothing is left on the host.',
      query: uploadQuery,
      headers: ['Prefer', 'Idempotency-Key', 'Repr-Digest'],
      content: {
        type: 'multipart/form-data',
        schema: {
          type: 'object',
          required: ['file'],
          properties: {
            title: { type: 'string', maxLength: mediaLimits.title },
            description: { type: 'string', maxLength: mediaLimits.description },
            category: { type: 'string', maxLength: mediaLimits.category },
            tags: {
              type: 'string',
              description: `Comma-separated; at most ${String(mediaLimits.tags)} tags of 1 to ${String(mediaLimits.tag)} characters. The part may be repeated.`,
            },
            file: { type: 'string', contentMediaType: 'application/octet-stream' },
          } satisfies Record<keyof EditableFields | 'file', object>,
        },
      },
      answers: {
        200: answer(
          'With `duplicates=return`: this client has uploaded these bytes before.',
          schemas.DuplicateAnswer,
          'Location',
          'Idempotent-Replayed',
        ),
        ...accepted('Idempotent-Replayed'),
      },
      errors: [
        ...hostErrors,
        ...redisErrors,
        'FILE_MISSING',
        'FILE_EMPTY',
        'TOO_MANY_FILES',
        'DIGEST_MISMATCH',
        'CLIENT_ABORTED',
        'MEDIA_NOT_FOUND',
        'IDEMPOTENCY_IN_PROGRESS',
        'IDEMPOTENCY_MISMATCH',
        'FILE_TOO_LARGE',
        'UNSUPPORTED_TYPE',
        'UPLOAD_EXPIRED',
        'SHUTTING_DOWN',
      ],
      serve: countUploads(upload, deps.metrics.uploads),
    },
    route({
      ...open,
      path: '/api/media/health',
      tag: 'status',
      summary: 'Measured health',
      description:
        'Writes a test record, reads it back and removes it. Makes no metered call to the media host. What was measured in Redis, at `measuredAt`, is shared for half a second; on rented servers that bill commands for up to a minute, unless a command fails in the meantime.',
      answers: {
        200: answer('Healthy or degraded.', schemas.Health),
        503: answer('Unhealthy.', schemas.Health),
      },
      handle: checkHealth(deps),
    }),
    route({
      ...read,
      path: '/api/media/database/status',
      tag: 'status',
      summary: 'What is stored and where',
      answers: {
        200: answer('Also while Redis is unreachable: it says so.', schemas.DatabaseStatus),
      },
      handle: showDatabaseStatus(deps),
    }),
    route({
      ...read,
      path: '/api/media/sync/status',
      tag: 'sync',
      summary: 'The running, last and next sync',
      answers: { 200: answer('The syncs of this deployment.', schemas.SyncStatus) },
      errors: ['CATALOG_UNAVAILABLE'],
      handle: showSyncStatus(deps),
    }),
    route({
      ...read,
      path: '/api/media/sync/drift',
      tag: 'sync',
      summary: 'What the last full sync found different',
      description: 'Empty before the first full run. A dry run returns its own report in its result.',
      query: driftQuery,
      answers: {
        200: {
          description: 'One page; or, as NDJSON, the whole report and two headers about it.',
          body: schemas.DriftPage,
          type: 'application/x-ndjson',
          headers: ['X-Report-Cut', 'X-Run-Id'],
        },
      },
      errors: ['CATALOG_UNAVAILABLE', 'INVALID_CURSOR'],
      handle: showDrift(deps),
    }),
    route({ ...startSyncRow, ...sync, method: 'POST', summary: 'Start a sync' }),
    route({
      ...startSyncRow,
      ...sync,
      method: 'GET',
      changes: true,
      summary: 'Start a sync, for older clients',
    }),
    route({
      ...read,
      path: '/api/media',
      publicRead: true,
      tag: 'media',
      summary: 'List media files',
      description:
        'Cursors stay valid while files are added: no item appears twice, none is skipped. `total` is exact with at most one filter, otherwise null where counting is not cheap. `rebuilding` is present while an emptied catalog is being refilled.',
      query: listQuery,
      answers: { 200: answer('One page.', schemas.MediaPage) },
      errors: ['CATALOG_UNAVAILABLE', 'INVALID_CURSOR'],
      handle: listMedia(deps),
    }),
    route({
      ...read,
      path: '/api/media/:id',
      publicRead: true,
      tag: 'media',
      summary: 'Show one record',
      params: { id: MEDIA_ID },
      headers: ['If-None-Match'],
      answers: {
        200: answer('The record.', schemas.Media, 'ETag'),
        304: notModified,
      },
      errors: findErrors,
      handle: showMedia(deps),
    }),
    route({
      ...read,
      path: '/api/media/:id/events',
      publicRead: true,
      tag: 'media',
      summary: 'Follow one record',
      description:
        'Server-Sent Events. `status` carries the record: one event now and one at each change. `deleted` carries `{id}` and ends the stream. A comment every 15 seconds keeps the connection open.',
      params: { id: MEDIA_ID },
      answers: { 200: { description: 'A stream that stays open.', type: 'text/event-stream' } },
      errors: [...findErrors, 'OVERLOADED'],
      handle: followMedia(deps),
    }),
    route({
      ...write,
      method: 'PATCH',
      path: '/api/media/:id',
      tag: 'media',
      summary: 'Edit one record',
      description:
        'A merge: fields that are left out stay as they are, null clears. Unknown fields are refused.',
      params: { id: MEDIA_ID },
      body: mediaChanges,
      headers: ['If-Match'],
      answers: {
        200: answer('The record, as it is in the catalog and on the host.', schemas.Media, 'ETag'),
        202: answer(
          'The record, as it is in the catalog. It is still on its way to the host.',
          schemas.Media,
          'ETag',
        ),
      },
      errors: [
        ...findErrors,
        'MEDIA_DELETING',
        'MEDIA_UNSETTLED',
        'REVISION_MISMATCH',
        'HOST_REJECTED',
        'HOST_TIMEOUT',
        'QUEUE_UNAVAILABLE',
      ],
      handle: editMedia(deps),
    }),
    route({
      ...write,
      method: 'DELETE',
      path: '/api/media/:id',
      tag: 'media',
      summary: 'Delete one file for good',
      params: { id: MEDIA_ID },
      headers: ['If-Match'],
      answers: {
        202: answer(
          'The status is `deleting` until the host confirms; then the record is gone.',
          schemas.MediaAnswer,
        ),
      },
      errors: [...findErrors, 'MEDIA_UNSETTLED', 'REVISION_MISMATCH', 'QUEUE_UNAVAILABLE'],
      handle: removeMedia(deps),
    }),
    { method: 'ALL', path: QUEUE_BOARD_PATH, role: 'admin', page: true, serve: queueBoard(deps.queues) },
    ...directRoutes(deps),
    {
      method: 'GET',
      path: '/media/*path',
      role: 'read',
      publicRead: true,
      page: true,
      tag: 'media',
      summary: 'A file of the local host',
      description: 'Links to these files keep working after a move to Cloudinary.',
      params: { path: 'As in the `url` of a record.' },
      headers: ['Range', 'If-Range', 'If-None-Match', 'If-Modified-Since', 'If-Match', 'If-Unmodified-Since'],
      answers: {
        200: {
          description: 'The whole file.',
          type: '*/*',
          headers: ['ETag', 'Last-Modified', 'Accept-Ranges'],
        },
        206: {
          description: 'The requested range.',
          type: '*/*',
          headers: ['ETag', 'Last-Modified', 'Accept-Ranges', 'Content-Range'],
        },
        302: { description: 'The file was moved to Cloudinary: its address there.', headers: ['Location'] },
        304: { ...notModified, headers: ['ETag', 'Last-Modified', 'Accept-Ranges'] },
      },
      errors: ['NOT_FOUND', 'REVISION_MISMATCH', 'RANGE_NOT_SATISFIABLE', 'CATALOG_UNAVAILABLE'],
      serve: serveLocalFiles(deps),
    },
  ];
  return table;
}

/** Both methods of one path: older clients start a sync with GET. */
const startSyncRow = {
  path: '/api/media/sync-cloudinary',
  role: 'admin',
  limited: true,
  tag: 'sync',
  description:
    '`runId` names the run that will do the requested work. With `alreadyRunning`, that is the run after the current one, and the same one for all who ask for the same before it starts.',
  headers: ['Prefer'],
  answers: {
    200: answer(
      'The run, which ended within the time that `Prefer` allowed.',
      schemas.SyncRun,
      'Preference-Applied',
    ),
    202: answer('The run is requested.', schemas.SyncAccepted),
  },
  errors: ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE'],
} as const;

/** What only Cloudinary can do: take files from clients themselves, and notify us. */
function directRoutes(deps: Dependencies): readonly Route[] {
  const { host } = deps.settings;
  const direct = host.kind === 'cloudinary' ? directHandlers(deps, host) : null;
  const none = (): Promise<never> =>
    Promise.reject(
      new HoldfastError('NOT_SUPPORTED', 'this needs Cloudinary; here the files are in a local folder'),
    );
  return [
    route({
      ...write,
      method: 'POST',
      path: '/api/media/uploads/sign',
      tag: 'uploads',
      summary: 'Sign an upload straight to Cloudinary',
      description:
        'Post `fields` and the file, as multipart/form-data, to `url` before `expiresAt`; then call `complete`. Every field of the body is optional. On the local host: 501.',
      answers: { 200: answer('The ticket.', schemas.Ticket) },
      errors: [...redisErrors, 'FILE_TOO_LARGE', 'UNSUPPORTED_TYPE', 'NOT_SUPPORTED'],
      ...(direct === null ? { handle: none } : { body: ticketRequest, handle: direct.sign }),
    }),
    route({
      ...write,
      method: 'POST',
      path: '/api/media/uploads/:id/complete',
      tag: 'uploads',
      summary: 'Report that a direct upload is complete',
      params: { id: '`id` of the ticket.' },
      headers: ['Prefer'],
      answers: accepted(),
      errors: [
        ...hostErrors,
        ...redisErrors,
        'MEDIA_NOT_FOUND',
        'MEDIA_DELETING',
        'UPLOAD_INCOMPLETE',
        'UPLOAD_EXPIRED',
        'FILE_TOO_LARGE',
        'UNSUPPORTED_TYPE',
        'NOT_SUPPORTED',
      ],
      handle: direct?.complete ?? none,
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
      answers: { 200: answer('Received.', schemas.NotificationReceived) },
      errors: [...redisErrors, 'INVALID_SIGNATURE', 'CLIENT_ABORTED', 'NOT_SUPPORTED'],
      serve: direct?.notify ?? none,
    },
  ];
}

function directHandlers(deps: Dependencies, cloudinary: CloudinarySettings) {
  const { uploads } = deps.settings;
  const { request } = deps.redis;
  const tickets = createTickets(request, deps.keys);
  return {
    sign: signTicket({ folder: cloudinary.folder, uploads, tickets, host: deps.host }),
    complete: completeUpload(deps.uploads, tickets, deps),
    notify: receiveNotification({
      secrets: [cloudinary.apiSecret, ...cloudinary.webhookSecrets],
      redis: request,
      keys: deps.keys,
      queues: deps.queues,
      host: deps.host,
    }),
  };
}

function page(path: string, summary: string, shown: Page): Route {
  const answers = { 200: { ...sentAsItIs, type: 'text/html' }, 304: notModified };
  return route({ ...open, path, tag: 'pages', summary, answers, handle: servePage(shown) });
}

function pageFile(path: string, summary: string, shown: Page): Route {
  return route({
    ...open,
    path,
    tag: 'pages',
    summary,
    params: { file: 'Name of a script or a style sheet of the page.' },
    answers: { 200: { ...sentAsItIs, type: '*/*' }, 304: notModified },
    errors: ['NOT_FOUND'],
    handle: servePageFile(shown),
  });
}

const open = { method: 'GET', role: 'open' } as const;
const write = { role: 'write', limited: true } as const;

const MEDIA_ID = 'A ULID; for assets found on the host `cld-` and the asset id.';

/** An answer with a JSON body. */
function answer(
  description: string,
  body: z.ZodType,
  ...headers: readonly ResponseHeader[]
): AnswerDescription {
  return { description, body, headers };
}

const sentAsItIs: AnswerDescription = { description: 'The file, unchanged.', headers: ['ETag'] };
const notModified: AnswerDescription = { description: 'The client already has it.', headers: ['ETag'] };

/** Of an upload, however its bytes came. */
function accepted(...more: readonly ResponseHeader[]): Readonly<Record<201 | 202, AnswerDescription>> {
  const headers = ['Location', 'Preference-Applied', ...more] as const;
  return {
    201: answer('Verified, within the time that `Prefer` allowed.', schemas.MediaAnswer, ...headers),
    202: answer('Permanent; the record is being verified.', schemas.MediaAnswer, ...headers),
  };
}

const findErrors = ['CATALOG_UNAVAILABLE', 'MEDIA_NOT_FOUND', 'CATALOG_REBUILDING'] as const;
const redisErrors = ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE', 'CATALOG_REBUILDING'] as const;
const hostErrors = [
  'HOST_REJECTED',
  'HOST_CONTENT_MISMATCH',
  'HOST_ALTERS_UPLOADS',
  'HOST_TIMEOUT',
  'HOST_LIMIT',
  'STORAGE_FULL',
] as const satisfies readonly ErrorCode[];
