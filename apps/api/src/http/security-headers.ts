import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** For answers that are data. Pages and files set their own policy over it. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] },
    },
    xFrameOptions: { action: 'deny' },
    // TLS ends in front of us: whether a name and those below it have only TLS, who runs the proxy says.
    strictTransportSecurity: false,
  });
}
