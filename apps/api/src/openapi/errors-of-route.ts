import { errorCatalogue, type ErrorCode } from '@holdfast/shared/errors';
import type { VerbRoute } from '../http/route.js';

interface Rule {
  applies: (route: VerbRoute) => boolean;
  codes: readonly ErrorCode[];
}

const rules: readonly Rule[] = [
  { applies: () => true, codes: ['INVALID_REQUEST', 'FOREIGN_HOST', 'INTERNAL'] },
  { applies: ({ role }) => role !== 'open', codes: ['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED'] },
  { applies: ({ method, changes }) => method !== 'GET' || changes === true, codes: ['CROSS_SITE'] },
  { applies: ({ limited }) => limited === true, codes: ['RATE_LIMITED'] },
  {
    applies: ({ serve }) => typeof serve !== 'function' && serve.body !== undefined,
    codes: ['MALFORMED_BODY', 'BODY_TOO_LARGE', 'UNSUPPORTED_BODY', 'REQUEST_TIMEOUT', 'OVERLOADED'],
  },
];

/** Codes by status: those that every route of this shape answers, and the route's own. */
export function errorsOfRoute(
  route: VerbRoute,
  own: readonly ErrorCode[] = [],
): ReadonlyMap<number, readonly ErrorCode[]> {
  const codes = new Set([
    ...rules.filter((rule) => rule.applies(route)).flatMap((rule) => rule.codes),
    ...own,
  ]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}
