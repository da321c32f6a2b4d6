import type { CloudinarySettings } from '@holdfast/shared/config';
import { createTickets } from '@holdfast/shared/direct-uploads';
import type { Dependencies } from './dependencies.js';
import { completeUpload } from './direct-uploads/complete-upload.js';
import { createRenamedArrivals } from './direct-uploads/renamed-arrivals.js';
import { signTicket } from './direct-uploads/sign-ticket.js';
import { notSupported } from './http/not-supported.js';
import type { Route, VerbRoute } from './http/route.js';
import { receiveNotification } from './webhooks/receive-notification.js';
import { createSeenNotifications } from './webhooks/seen-notifications.js';

type Serve = VerbRoute['serve'];

/** What only Cloudinary can do: take files from clients themselves, and notify us. */
export function cloudinaryRoutes(deps: Dependencies): Route[] {
  const { host } = deps.settings;
  const none = notSupported('this needs Cloudinary; here the files are in a local folder');
  const { sign, complete, notify } =
    host.kind === 'cloudinary' ? handlers(deps, host) : { sign: none, complete: none, notify: none };
  return [
    { method: 'POST', path: '/api/media/uploads/sign', role: 'write', limited: true, serve: sign },
    {
      method: 'POST',
      path: '/api/media/uploads/:id/complete',
      role: 'write',
      limited: true,
      serve: complete,
    },
    // Open to everyone: the signature decides.
    { method: 'POST', path: '/api/media/webhooks/cloudinary', role: 'open', serve: notify },
  ];
}

function handlers(
  deps: Dependencies,
  cloudinary: CloudinarySettings,
): Record<'sign' | 'complete' | 'notify', Serve> {
  const { uploads } = deps.settings;
  const { request } = deps.redis;
  const tickets = createTickets(request, deps.keys);
  return {
    sign: signTicket({ cloudinary, uploads, tickets, host: deps.host }),
    complete: completeUpload({
      ...deps,
      tickets,
      uploads,
      undoing: deps.uploads.undoing,
      renamedArrivals: createRenamedArrivals({ host: deps.host, tickets }),
      folder: cloudinary.folder,
    }),
    notify: receiveNotification({
      secrets: [cloudinary.apiSecret, ...cloudinary.webhookSecrets],
      refusedSignatures: deps.refusedSignatures,
      seen: createSeenNotifications(request, deps.keys),
      queues: deps.queues,
      host: deps.host,
    }),
  };
}
