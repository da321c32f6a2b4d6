import type { Request, RequestHandler, Response } from 'express';
import { roles, type AccessSettings, type Role } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';
import { authenticate, carriesKey } from './api-key.js';
import { contextOf } from './request-context.js';

export interface AccessRule {
  /** `open`: for everyone, keys are not looked at. */
  role: Role | 'open';
  /** Open to everyone where PUBLIC_READ is on. */
  publicRead: boolean;
  /** What a 401 asks programs for. Who opens a page gets the login of the browser, which knows only Basic. */
  challenge: 'Basic' | 'Bearer';
  /** Asked before an unknown key gets its 401. */
  limitFailedLogins: RequestHandler;
}

/** Lets a request through when its key has the role; roles include the weaker ones. */
export function requireAccess(access: AccessSettings, rule: AccessRule): RequestHandler {
  const { role: needed } = rule;
  const open = needed === 'open' || (rule.publicRead && access.publicRead);
  return (req, res, next) => {
    const client = authenticate(access, req.headers);
    if (client !== null) contextOf(req).client = client;
    if (open) return next();
    if (client === null) {
      const refuse = (tooMany?: unknown): void => next(tooMany ?? askForKey(req, res, rule));
      if (carriesKey(req.headers)) rule.limitFailedLogins(req, res, refuse);
      else refuse();
      return;
    }
    if (client.role === null || roles.indexOf(client.role) < roles.indexOf(needed))
      throw new HoldfastError('FORBIDDEN', `the role ${needed} is needed`);
    next();
  };
}

function askForKey(req: Request, res: Response, rule: AccessRule): HoldfastError {
  const challenge = isOpenedAsPage(req) ? 'Basic' : rule.challenge;
  res.setHeader(
    'WWW-Authenticate',
    `${challenge} realm="holdfast"${challenge === 'Basic' ? ', charset="UTF-8"' : ''}`,
  );
  return new HoldfastError('UNAUTHENTICATED');
}

/** Scripts of our own pages do not ask for HTML, so no login of the browser comes between them and the answer. */
function isOpenedAsPage(req: Request): boolean {
  return req.get('accept')?.includes('text/html') ?? false;
}
