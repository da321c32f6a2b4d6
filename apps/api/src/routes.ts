import { join } from 'node:path';
import { cloudinaryRoutes } from './cloudinary-routes.js';
import type { Dependencies } from './dependencies.js';
import { serveEarlierFile } from './files/serve-earlier-file.js';
import { serveFile } from './files/serve-file.js';
import type { Route } from './http/route.js';
import { editMedia } from './media/edit-media.js';
import { followMedia } from './media/follow-media.js';
import { listMedia } from './media/list-media.js';
import { acceptedMedia } from './media/present-media.js';
import { removeMedia } from './media/remove-media.js';
import { showMedia } from './media/show-media.js';
import { countUploads } from './metrics/count-uploads.js';
import { showMetrics } from './metrics/show-metrics.js';
import { showDocument } from './openapi/show-document.js';
import { servePage, servePageFile } from './pages/page-files.js';
import { consolePage, docsPage } from './pages/pages.js';
import { QUEUE_BOARD_PATH, queueBoard } from './queue-board/queue-board.js';
import { checkHealth } from './status/check-health.js';
import { live } from './status/live.js';
import { ready } from './status/ready.js';
import { showDatabaseStatus } from './status/show-database-status.js';
import { showDrift } from './sync/show-drift.js';
import { showSyncStatus } from './sync/show-sync-status.js';
import { startSync } from './sync/start-sync.js';
import { uploadRoute } from './uploads/upload-route.js';

/** Every route there is. Paths are tried in this order: those with fixed words before those with an id. */
export function routes(deps: Dependencies): readonly Route[] {
  const upload = uploadRoute({
    ...deps.uploads,
    answerFor: (record) => acceptedMedia(record, deps.address),
  });
  const sync = startSync(deps);
  const table: Route[] = [
    { method: 'GET', path: '/', role: 'open', serve: servePage(consolePage) },
    { method: 'GET', path: '/console/:file', role: 'open', serve: servePageFile(consolePage) },
    { method: 'GET', path: '/docs', role: 'open', serve: servePage(docsPage) },
    { method: 'GET', path: '/docs/:file', role: 'open', serve: servePageFile(docsPage) },
    { method: 'GET', path: '/openapi.json', role: 'open', serve: showDocument(() => table) },
    { method: 'GET', path: '/livez', role: 'open', serve: live() },
    { method: 'GET', path: '/readyz', role: 'open', serve: ready(deps) },
    { method: 'GET', path: '/metrics', role: 'read', serve: showMetrics(deps) },
    {
      method: 'POST',
      path: '/api/media/upload',
      role: 'write',
      limited: true,
      serve: countUploads(upload, deps.metrics.uploads),
    },
    { method: 'GET', path: '/api/media/health', role: 'open', serve: checkHealth(deps) },
    { method: 'GET', path: '/api/media/database/status', role: 'read', serve: showDatabaseStatus(deps) },
    { method: 'GET', path: '/api/media/sync/status', role: 'read', serve: showSyncStatus(deps) },
    { method: 'GET', path: '/api/media/sync/drift', role: 'read', serve: showDrift(deps) },
    { method: 'POST', path: '/api/media/sync-cloudinary', role: 'admin', limited: true, serve: sync },
    // Older clients call it so.
    {
      method: 'GET',
      path: '/api/media/sync-cloudinary',
      role: 'admin',
      limited: true,
      changes: true,
      serve: sync,
    },
    { method: 'GET', path: '/api/media', role: 'read', publicRead: true, serve: listMedia(deps) },
    { method: 'GET', path: '/api/media/:id', role: 'read', publicRead: true, serve: showMedia(deps) },
    {
      method: 'GET',
      path: '/api/media/:id/events',
      role: 'read',
      publicRead: true,
      serve: followMedia(deps),
    },
    {
      method: 'PATCH',
      path: '/api/media/:id',
      role: 'write',
      limited: true,
      serve: editMedia({ ...deps, folder: deps.settings.host.folder }),
    },
    { method: 'DELETE', path: '/api/media/:id', role: 'write', limited: true, serve: removeMedia(deps) },
    {
      method: 'ALL',
      path: QUEUE_BOARD_PATH,
      role: 'admin',
      page: true,
      serve: queueBoard(deps.queues),
    },
    ...cloudinaryRoutes(deps),
    ...localFiles(deps),
  ];
  return table;
}

/** Only the local host has files of its own to serve; links to them outlive it. */
function localFiles({ settings, catalog }: Dependencies): Route[] {
  const { host, access, dataDir } = settings;
  const isPublic = access.keys.length === 0 || access.publicRead;
  const serveLocal = (directory: string) => serveFile({ directory }, { isPublic });
  const serve =
    host.kind === 'local'
      ? serveLocal(host.directory)
      : serveEarlierFile(catalog, serveLocal(join(dataDir, 'media')));
  return [{ method: 'GET', path: '/media/*path', role: 'read', publicRead: true, page: true, serve }];
}
