import type { ErrorCode } from '@holdfast/shared/errors';
import type { parameterHeaders, responseHeaders } from './headers.js';
import type { SchemaName } from './schemas.js';

/** A JSON Schema of the 2020-12 draft, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export interface AnswerDescription {
  description: string;
  /** The JSON body; absent for answers without one. */
  schema?: SchemaName;
  /** The media type of what is no JSON. */
  type?: string;
  headers?: readonly (keyof typeof responseHeaders)[];
}

/** What the route table does not say of a route. Roles, limits and the names of inputs come from the table itself. */
export interface Operation {
  tag: 'media' | 'uploads' | 'sync' | 'status' | 'pages';
  summary: string;
  description?: string;
  /** Each parameter of the path and the query: a description, and what it says better than the route's own schema. */
  path?: Readonly<Record<string, JsonSchema & { description: string }>>;
  query?: Readonly<Record<string, JsonSchema & { description: string }>>;
  headers?: readonly (keyof typeof parameterHeaders)[];
  /** Of routes that read their body themselves. */
  body?: { type: string; schema: JsonSchema };
  /** Fields of a JSON body: what is said better than by the route's own schema. */
  bodyFields?: Readonly<Record<string, JsonSchema>>;
  answers: Readonly<Record<number, AnswerDescription>>;
  /** Beyond those that follow from the row in the table (see errors-of-route.ts). */
  errors?: readonly ErrorCode[];
}

/** By method and path, as the route table writes them. */
export type Operations = Readonly<Record<string, Operation>>;
