import type { Route } from './route.js';

/** Finds the route of a method and decoded path segments; the first match of the table wins. */
export type RouteMatcher = (
  method: string,
  segments: string[],
) => { route: Route; path: Record<string, string> } | null;

const RESOURCE_TYPES = new Set(['image', 'video', 'raw', 'auto']);

/** Prepares a table for matching. */
export function routeMatcher(routes: readonly Route[]): RouteMatcher {
  const prepared = routes.map((route) => ({ route, pattern: route.path.split('/') }));
  return (method, segments) => {
    for (const { route, pattern } of prepared) {
      if (route.method !== method) continue;
      const path = matchSegments(pattern, segments);
      if (path !== null) return { route, path };
    }
    return null;
  };
}

/** Segments of a raw path: split before decoding, since public ids and `resources%2Fsearch` carry `%2F`. */
export function pathSegments(rawPath: string): string[] | null {
  try {
    return rawPath
      .slice(1)
      .split('/')
      .flatMap((segment) => {
        const decoded = decodeURIComponent(segment);
        return decoded === 'resources/search' ? ['resources', 'search'] : [decoded];
      });
  } catch {
    return null;
  }
}

function matchSegments(pattern: string[], segments: string[]): Record<string, string> | null {
  if (pattern.length !== segments.length) return null;
  const path: Record<string, string> = {};
  for (const [index, expected] of pattern.entries()) {
    const segment = segments[index] as string;
    if (!expected.startsWith(':')) {
      if (expected !== segment) return null;
    } else if (expected === ':rt' && !RESOURCE_TYPES.has(segment)) return null;
    else path[expected.slice(1)] = segment;
  }
  return path;
}
