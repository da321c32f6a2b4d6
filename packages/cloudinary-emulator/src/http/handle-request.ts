import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api-error.js';
import { controlApi } from '../control/control-api.js';
import type { EmulatorControl } from '../control/emulator-control.js';
import type { Parts } from '../parts.js';
import { routes } from '../routes.js';
import { answerCall } from './answer-call.js';
import { deliverFile } from './deliver-file.js';
import { pathSegments, routeMatcher } from './match-route.js';
import { sendError } from './send.js';

const match = routeMatcher(routes);

/** The listener of the emulator's server. Never rejects: every failure becomes an answer or a closed socket. */
export function requestHandler(parts: Parts, control: EmulatorControl) {
  const answerControl = controlApi(control);
  return (req: IncomingMessage, res: ServerResponse): void => {
    const url = req.url ?? '/';
    const mark = url.indexOf('?');
    const rawPath = mark < 0 ? url : url.slice(0, mark);
    const search = mark < 0 ? '' : url.slice(mark + 1);
    const segments = pathSegments(rawPath) ?? [];
    if (segments[0] === '__emulator') {
      void answerControl(segments.slice(1), search, req, res);
      return;
    }
    void answerHost(segments, search, req, res, parts);
  };
}

async function answerHost(
  segments: string[],
  search: string,
  req: IncomingMessage,
  res: ServerResponse,
  parts: Parts,
): Promise<void> {
  const method = req.method ?? '';
  const isApi = segments[0] === 'v1_1';
  const matched = isApi ? match(method, segments.slice(2)) : null;
  const endpoint = matched?.route.endpoint ?? (isApi ? 'unknown' : 'deliver');
  const entry = parts.requests.begin({ endpoint, method, at: parts.now() });
  res.once('close', () => parts.requests.end(entry, res.writableFinished ? res.statusCode : 0));
  res.setHeader('X-Request-Id', entry.id);
  // The emulated host's clock, which tests move, and not ours.
  res.setHeader('Date', new Date(parts.now()).toUTCString());
  try {
    if (!isApi) {
      const exchange = { req, res, drain: () => Promise.resolve(), refusal: parts.limit.refusal };
      await deliverFile(segments, exchange, entry, parts);
    } else {
      if (segments[1] !== parts.account.cloudName)
        throw new ApiError(401, `Invalid cloud_name ${segments[1] ?? ''}`);
      if (matched === null) throw new ApiError(404, 'Not found');
      await answerCall({ req, res, ...matched, search, entry }, parts);
    }
  } catch (error) {
    sendError(res, error);
  } finally {
    // An unread rest is read and thrown away: the client may still be sending, and its connection stays usable.
    req.unpipe();
    req.resume();
  }
}
