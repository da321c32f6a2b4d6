import type { IncomingMessage } from 'node:http';
import { ApiError } from '../api-error.js';
import { addField, type Fields } from './fields.js';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** The parameters of a query string. */
export function queryParams(search: string): Fields {
  return encodedParams(search);
}

/** The parameters of an urlencoded body, or the value of a JSON one. Rejects with 400 for broken JSON. */
export async function bodyParams(req: IncomingMessage): Promise<{ fields: Fields; json: unknown }> {
  const body = await readBody(req);
  if (!(req.headers['content-type'] ?? '').startsWith('application/json')) {
    return { fields: encodedParams(body.toString()), json: null };
  }
  try {
    return { fields: {}, json: body.length === 0 ? {} : (JSON.parse(body.toString()) as unknown) };
  } catch {
    throw new ApiError(400, 'Invalid JSON in the request body');
  }
}

async function readBody(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new ApiError(400, 'Request body too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function encodedParams(text: string): Fields {
  const fields: Fields = {};
  for (const [name, value] of new URLSearchParams(text)) addField(fields, name, value);
  return fields;
}
