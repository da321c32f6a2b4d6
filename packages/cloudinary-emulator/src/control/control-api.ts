import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api-error.js';
import { sendJson } from '../http/send.js';
import { controlRoutes, type ControlRoute } from './control-routes.js';
import type { EmulatorControl } from './emulator-control.js';

const prepared = controlRoutes.map((route) => ({ route, pattern: route.path.split('/') }));

/** Answers `/__emulator/...`: the control interface for tests and benchmarks in other processes. */
export function controlApi(control: EmulatorControl) {
  return async (
    segments: string[],
    search: string,
    req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> => {
    try {
      const matched = findRoute(req.method ?? '', segments.length === 0 ? [''] : segments);
      if (matched === null) throw new ApiError(404, 'No such control operation');
      const query = Object.fromEntries(new URLSearchParams(search));
      const result = await matched.route.run(control, {
        path: matched.path,
        query,
        body: await jsonBody(req),
      });
      if (Buffer.isBuffer(result)) {
        res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': result.length });
        res.end(result);
      } else sendJson(res, 200, result ?? null);
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 400;
      sendJson(res, status, { error: { message: error instanceof Error ? error.message : String(error) } });
    }
  };
}

function findRoute(
  method: string,
  segments: string[],
): { route: ControlRoute; path: Record<string, string> } | null {
  for (const { route, pattern } of prepared) {
    if (route.method !== method || pattern.length !== segments.length) continue;
    if (!pattern.every((part, index) => part.startsWith(':') || part === segments[index])) continue;
    const named = pattern.flatMap((part, index) =>
      part.startsWith(':') ? [[part.slice(1), segments[index] ?? ''] as const] : [],
    );
    return { route, path: Object.fromEntries(named) };
  }
  return null;
}

async function jsonBody(req: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk);
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as unknown);
}
