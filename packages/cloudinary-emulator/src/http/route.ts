import type { IncomingMessage } from 'node:http';
import type { OpenFile, UploadedFile } from './receive-file.js';
import type { Parts } from '../parts.js';
import type { Fields } from './fields.js';

/** What a handler gets to see of a request. */
export interface Call {
  /** Named segments of the path, decoded. */
  path: Readonly<Record<string, string>>;
  /** Query, body or form parameters, whichever the route has. */
  fields: Fields;
  /** JSON body, where one was sent. */
  json: unknown;
  headers: IncomingMessage['headers'];
  /** Share of the assets that a listing may show; below 1 only by a fault. */
  listingShare: number;
}

/** JSON of a 200 answer. */
export type Reply = Record<string, unknown>;
export type Handler = (call: Call, parts: Parts) => Reply | Promise<Reply>;
export type FileHandler = (call: Call, file: UploadedFile | null, parts: Parts) => Reply | Promise<Reply>;

/**
 * One endpoint. `api` says how it is reached: `signed` is the Upload API (form with signature), `file` the
 * same with a file, `admin` has Basic authentication and the rate limit, `download` gives
 * a file under an address that carries its signature.
 */
export type Route = {
  method: string;
  /** Segments below `/v1_1/<cloud>/`; `:name` takes any one segment, `:rt` a resource type. */
  path: string;
  /** Name in counters and faults. */
  endpoint: string;
} & (
  | { api: 'signed'; handle: Handler }
  | { api: 'admin'; handle: Handler }
  | { api: 'download' }
  | {
      api: 'file';
      /** Called once the caller is known and before the file is read; says where its bytes go. */
      open(call: Call, parts: Parts): OpenFile;
      /** An answer that needs no file, given without reading it; null when there is none. */
      early(call: Call, parts: Parts): Reply | null;
      handle: FileHandler;
    }
);
