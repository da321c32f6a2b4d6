import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EmulatorControl } from './emulator-control.js';
import { sendJson } from '../http/send.js';

/** The control interface over HTTP. */
export function controlApi(_control: EmulatorControl) {
  return async (
    _path: string[],
    _search: string,
    _req: IncomingMessage,
    res: ServerResponse,
  ): Promise<void> => {
    sendJson(res, 404, {});
    await Promise.resolve();
  };
}
