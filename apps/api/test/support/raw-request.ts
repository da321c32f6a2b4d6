import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawRequestOptions {
  /** Ends the wait before the connection does. */
  until?: RegExp;
  /** Says that nothing more comes. */
  halfClose?: boolean;
}

/** Writes bytes as they are to a port and gives all that comes back until the connection ends or `until` matches. */
export async function rawRequest(
  port: number,
  text: string | Buffer,
  { until, halfClose = false }: RawRequestOptions = {},
): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  let received = '';
  const done = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (until?.test(received) === true) resolve();
    });
    socket.once('close', () => resolve());
    socket.once('error', () => resolve());
  });
  socket.write(text);
  if (halfClose) socket.end();
  await done;
  socket.destroy();
  return received;
}
