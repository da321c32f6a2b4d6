import type { RequestHandler } from 'express';
import { roles, type AccessSettings, type Role } from '@holdfast/shared/config';
import { HoldfastError } from '@holdfast/shared/errors';
import { authenticate } from './api-key.js';
import { contextOf } from './request-context.js';

export interface AccessRule {
  /** `open`: for everyone, keys are not looked at. */
  role: Role | 'open';
  /** Open to everyone where PUBLIC_READ is on. */
  publicRead: boolean;
  /** What a 401 asks for: browsers show their login only for Basic. */
  challenge: 'Basic' | 'Bearer';
}

/** Lets a request through when its key has the role; roles include the weaker ones. */
export function requireAccess(access: AccessSettings, rule: AccessRule): RequestHandler {
  const { role: needed, challenge } = rule;
  const open = needed === 'open' || (rule.publicRead && access.publicRead);
  return (req, res, next) => {
    const client = authenticate(access, req.headers);
    if (client !== null) contextOf(req).client = client;
    if (open) return next();
    if (client === null) {
      res.setHeader(
        'WWW-Authenticate',
        `${challenge} realm="holdfast"${challenge === 'Basic' ? ', charset="UTF-8"' : ''}`,
      );
      throw new HoldfastError('UNAUTHENTICATED');
    }
    if (client.role === null || roles.indexOf(client.role) < roles.indexOf(needed))
      throw new HoldfastError('FORBIDDEN', `the role ${needed} is needed`);
    next();
  };
}
