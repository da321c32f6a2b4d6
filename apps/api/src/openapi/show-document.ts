import { endpoint } from '../http/endpoint.js';
import { answerFixed, fixedBody, type FixedBody } from '../http/fixed-body.js';
import type { Route } from '../http/route.js';
import { buildDocument } from './build-document.js';
import { operations } from './operations.js';

/** The description of the routes; built when it is first asked for. */
export const showDocument = (routes: () => readonly Route[]) => {
  let document: Promise<FixedBody> | undefined;
  return endpoint({
    handle: async (input) => {
      document ??= fixedBody(Buffer.from(JSON.stringify(buildDocument(routes(), operations))));
      return answerFixed(await document, input, { 'Content-Type': 'application/json; charset=utf-8' });
    },
  });
};
