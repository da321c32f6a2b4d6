import type { Dependencies } from './dependencies.js';
import type { Route } from './http/route.js';
import { live } from './status/live.js';

/** Every route there is. Paths are tried in this order: those with fixed words before those with an id. */
export function routes(deps: Dependencies): readonly Route[] {
  void deps;
  return [{ method: 'GET', path: '/livez', role: 'open', serve: live() }];
}
