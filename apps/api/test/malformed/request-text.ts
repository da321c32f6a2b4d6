/** A request as it goes over the wire. */
export interface RawRequest {
  bytes: Buffer;
  /** False where the other side cannot know that nothing more will come: then no answer is due. */
  complete: boolean;
}

export type Headers = readonly (readonly [name: string, value: string])[];

/** Lines, an empty one, and the body; latin1, so that any byte can be in a header. */
export function requestText(
  method: string,
  target: string,
  headers: Headers,
  body: Buffer | string = '',
): Buffer {
  const lines = [`${method} ${target} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`)];
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : body;
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}

/** Headers of somebody who may do everything, and of one connection for each request. */
export const allowed: Headers = [
  ['Host', 'a'],
  ['X-API-Key', 'w-secret'],
  ['Connection', 'close'],
];

export function whole(
  method: string,
  target: string,
  headers: Headers = [],
  body: Buffer | string = '',
): RawRequest {
  const length = Buffer.byteLength(body);
  const counted: Headers = length === 0 && method === 'GET' ? [] : [['Content-Length', String(length)]];
  return {
    bytes: requestText(method, target, [...allowed, ...counted, ...headers], body),
    complete: true,
  };
}
