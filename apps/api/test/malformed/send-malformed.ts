import { connect } from 'node:net';
import type { MalformedRequest } from './malformed-request.js';

/** What came back. */
export interface Reply {
  /** Of all answers on the connection, without 1xx. */
  statuses: number[];
  text: string;
  /** True when an answer was due and none came. */
  hung: boolean;
}

const HUNG_AFTER_MS = 10_000;
/** Without more from the server for so long, it has said what it says. */
const QUIET_MS = 25;

/** Sends the bytes as they are, over a connection of their own. */
export function sendMalformed(port: number, { bytes, complete, ending }: MalformedRequest): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    const finish = (hung: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
      resolve({ statuses: statuses.filter((status) => status >= 200), text, hung });
    };
    const finishIn = (ms: number, hung: boolean): void => {
      clearTimeout(timer);
      timer = setTimeout(() => finish(hung), ms);
    };
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      finishIn(QUIET_MS, false);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => finish(false));
    socket.write(bytes, () => {
      if (ending === 'reset') socket.resetAndDestroy();
      else if (ending === 'end') socket.end();
      if (text === '') finishIn(complete ? HUNG_AFTER_MS : QUIET_MS, complete);
    });
  });
}
