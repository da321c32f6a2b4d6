import { endpoint } from '../http/endpoint.js';
import type { Route } from '../http/route.js';
import { buildDocument, type OpenApiDocument } from './build-document.js';
import { operations } from './operations.js';

/** The description of the routes; built when it is first asked for. */
export const showDocument = (routes: () => readonly Route[]) => {
  let document: OpenApiDocument | undefined;
  return endpoint({
    handle: async () => {
      document ??= buildDocument(routes(), operations);
      return { status: 200, body: document, headers: { 'Cache-Control': 'no-cache' } };
    },
  });
};
