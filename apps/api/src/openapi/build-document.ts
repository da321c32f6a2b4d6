import { STATUS_CODES } from 'node:http';
import { errorCatalogue, PROBLEM_TYPE, type ErrorCode } from '@holdfast/shared/errors';
import type { Route, VerbRoute } from '../http/route.js';
import { componentSchemas, inputSchema } from './component-schemas.js';
import { errorsOfRoute } from './errors-of-route.js';
import { parameterHeaders, responseHeaders } from './headers.js';
import type { AnswerDescription, JsonSchema, Operation, Operations } from './operation.js';

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, JsonSchema>>;
  components: { schemas: Record<string, JsonSchema> } & Record<string, unknown>;
  [part: string]: unknown;
}

const DESCRIPTION = `Keeps media permanent: what was answered with 201 or 202 is never lost.

Errors are problem documents (RFC 9457) with a stable \`code\`. Beyond those that are listed at each operation every path
answers 404 \`NOT_FOUND\` where there is nothing, and 405 \`METHOD_NOT_ALLOWED\` for methods that it does not offer. Every
\`GET\` answers \`HEAD\` too, but the one that starts a sync. Answers may get more fields. \`x-role\` names the role that a key needs: admin includes write,
and write includes read. Where no key is configured, none is needed. \`/admin/queues\` (role admin) is Bull Board, a page.`;

/** The OpenAPI document of the routes that this process serves, as far as they are described. */
export function buildDocument(routes: readonly Route[], operations: Operations): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    if (route.method === 'ALL') continue;
    const operation = operations[`${route.method} ${route.path}`];
    if (operation === undefined) continue;
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = describe(route, operation);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: ['media', 'uploads', 'sync', 'status', 'pages'].map((name) => ({ name })),
    paths,
    components: {
      schemas: componentSchemas(),
      headers: responseHeaders,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        basic: { type: 'http', scheme: 'basic', description: 'User: name of the key. Password: its secret.' },
      },
    },
  };
}

/** `/media/*path` and `/media/:id` of Express are `/media/{path}` and `/media/{id}` here. */
export function templateOf(path: string): string {
  return path.replaceAll(/[:*]([A-Za-z]+)/g, '{$1}');
}

function describe(route: VerbRoute, operation: Operation): JsonSchema {
  const body = bodyOf(route, operation);
  return {
    operationId: operationId(route),
    tags: [operation.tag],
    summary: operation.summary,
    ...(operation.description === undefined ? {} : { description: operation.description }),
    'x-role': route.role,
    security: securityOf(route),
    parameters: parametersOf(route, operation),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responsesOf(route, operation),
  };
}

function operationId({ method, path }: VerbRoute): string {
  const words = path.split(/[^A-Za-z]+/).filter((word) => word !== '');
  return [method.toLowerCase(), ...words].join('_');
}

function securityOf({ role, publicRead }: VerbRoute): readonly JsonSchema[] {
  if (role === 'open') return [];
  const keys = [{ bearer: [] }, { apiKey: [] }, { basic: [] }];
  return publicRead === true ? [...keys, {}] : keys;
}

/** The query of a plain endpoint is named by its own schema; the operation describes it. */
function parametersOf(route: VerbRoute, operation: Operation): readonly JsonSchema[] {
  const names = [...route.path.matchAll(/[:*]([A-Za-z]+)/g)].map(([, name = '']) => name);
  const input = typeof route.serve === 'function' ? undefined : route.serve.query;
  const { properties = {}, required = [] } = (input === undefined ? {} : inputSchema(input)) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  const query = new Set([...Object.keys(properties), ...Object.keys(operation.query ?? {})]);
  return [
    ...names.map((name) => parameter('path', name, { type: 'string', ...operation.path?.[name] }, true)),
    ...[...query].map((name) =>
      parameter('query', name, { ...properties[name], ...operation.query?.[name] }, required.includes(name)),
    ),
    ...(operation.headers ?? []).map((name) => ({ in: 'header', name, ...parameterHeaders[name] })),
  ];
}

function parameter(place: string, name: string, whole: JsonSchema, required: boolean): JsonSchema {
  const { description, ...schema } = whole;
  return { in: place, name, required, ...(description === undefined ? {} : { description }), schema };
}

function bodyOf({ method, serve }: VerbRoute, { body, bodyFields = {} }: Operation): JsonSchema | undefined {
  if (body !== undefined) return { required: true, content: { [body.type]: { schema: body.schema } } };
  // A GET has none, by the description; what is there is read all the same.
  if (typeof serve === 'function' || serve.body === undefined || method === 'GET') return undefined;
  const schema = inputSchema(serve.body);
  const properties = { ...(schema['properties'] as Record<string, JsonSchema> | undefined) };
  for (const [name, more] of Object.entries(bodyFields)) properties[name] = { ...properties[name], ...more };
  return { content: { 'application/json': { schema: { ...schema, properties } } } };
}

function responsesOf(route: VerbRoute, operation: Operation): JsonSchema {
  const always = route.limited === true ? limited : [];
  const answers = Object.entries(operation.answers).map(([status, answer]) => [
    status,
    answerOf(answer, always),
  ]);
  const problems = [...errorsOfRoute(route, operation.errors)].map(([status, codes]) => [
    String(status),
    problemsOf(status, codes, always),
  ]);
  // Readiness and health answer 503 with a body of their own.
  return Object.fromEntries([...problems, ...answers]) as JsonSchema;
}

function answerOf(
  { description, schema, type, headers = [] }: AnswerDescription,
  always: HeaderNames,
): JsonSchema {
  const content = {
    ...(schema === undefined
      ? {}
      : { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } }),
    ...(type === undefined ? {} : { [type]: { schema: { type: 'string' } } }),
  };
  return {
    description,
    headers: headersOf([...always, ...headers]),
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}

type HeaderNames = readonly (keyof typeof responseHeaders)[];
const limited: HeaderNames = ['RateLimit', 'RateLimit-Policy'];
const again: HeaderNames = ['Retry-After'];
const challenge: HeaderNames = ['WWW-Authenticate'];

/** What the problem of a code carries beside its body. */
const problemHeaders: Partial<Readonly<Record<ErrorCode, HeaderNames>>> = {
  UNAUTHENTICATED: challenge,
  INVALID_SIGNATURE: challenge,
  IDEMPOTENCY_IN_PROGRESS: again,
  RANGE_NOT_SATISFIABLE: ['Content-Range'],
  RATE_LIMITED: again,
  HOST_REJECTED: again,
  QUEUE_UNAVAILABLE: again,
  CATALOG_UNAVAILABLE: again,
  CATALOG_REBUILDING: again,
  OVERLOADED: again,
  UPLOAD_EXPIRED: again,
  SHUTTING_DOWN: again,
  HOST_TIMEOUT: again,
};

function problemsOf(status: number, codes: readonly ErrorCode[], always: HeaderNames): JsonSchema {
  const sorted = codes.toSorted();
  return {
    description: `${STATUS_CODES[status] ?? ''}. ${sorted.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`).join(' ')}`,
    headers: headersOf([...always, ...sorted.flatMap((code) => problemHeaders[code] ?? [])]),
    content: {
      [PROBLEM_TYPE]: {
        schema: { $ref: '#/components/schemas/Problem', properties: { code: { enum: sorted } } },
      },
    },
  };
}

function headersOf(names: readonly string[]): JsonSchema {
  return Object.fromEntries(
    [...names, 'X-Request-Id'].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}
