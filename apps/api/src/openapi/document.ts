import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Settings } from '@holdfast/foundation/config';
import { errorCatalogue, PROBLEM_TYPE, type ErrorCode } from '@holdfast/foundation/errors';
import { requestHeaders, responseHeaders, type ResponseHeader } from '../http/described-headers.js';
import { tags, type AnswerDescription, type Route } from '../http/route.js';
import { schemas } from './schemas.js';

const DESCRIPTION = `Keeps media files permanently: once the answer is 201 or 202, the file is never lost.

Errors are problem documents (RFC 9457) with a stable \`code\`. Besides the codes listed for each operation, every path answers
404 \`NOT_FOUND\` where no such path exists, and 405 \`METHOD_NOT_ALLOWED\` for methods that it does not allow. Every \`GET\` also
answers \`HEAD\`, except the one that starts a sync. An upload and a deletion answer \`{media, links}\`, a read and an edit the bare
record. Responses may gain fields. \`x-role\` names the role that a key needs: admin includes write, and write includes read. If
no key is configured, none is needed. \`/admin/queues\` (role admin) is Bull Board, a web page.`;

export type OpenApiDocument = ReturnType<typeof buildDocument>;

const text = { type: 'string' };

/** What the document must know of the settings. */
type DocumentedAccess = Pick<Settings['access'], 'keys' | 'publicRead'>;

/** The OpenAPI document of the routes that this process serves. Bull Board, which is a page of its own, is not in it. */
export function buildDocument(routes: readonly Route[], access: DocumentedAccess) {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    if (route.method === 'ALL') continue;
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = describe(route, access);
  }
  const headers = Object.entries(responseHeaders).map(([name, description]) => [
    name,
    { description, schema: text },
  ]);
  return {
    openapi: '3.1.0',
    info: {
      title: 'Holdfast',
      version: '1',
      description: DESCRIPTION,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: tags.map((name) => ({ name })),
    paths,
    components: {
      schemas: componentSchemas(),
      headers: Object.fromEntries(headers) as JsonSchema,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'User: the name of the key. Password: its secret.',
        },
      },
    },
  };
}

/** `/media/*path` and `/media/:id` of Express are `/media/{path}` and `/media/{id}` here. */
export function templateOf(path: string): string {
  return path.replaceAll(/[:*]([A-Za-z]+)/g, '{$1}');
}

/** Members that are undefined are not in the JSON. */
function describe(route: Route, access: DocumentedAccess): JsonSchema {
  const { method, path, role, publicRead } = route;
  const isOpen = role === 'open' || access.keys.length === 0 || (publicRead === true && access.publicRead);
  return {
    operationId: [method.toLowerCase(), ...(path.match(/[A-Za-z]+/g) ?? [])].join('_'),
    tags: [route.tag],
    summary: route.summary,
    description: route.description,
    'x-role': role,
    // Nothing where no key is looked at: Swagger UI shows a closed padlock where a key is merely optional.
    security: isOpen ? [] : [{ bearer: [] }, { apiKey: [] }, { basic: [] }],
    parameters: parametersOf(route),
    requestBody: bodyOf(route),
    responses: responsesOf(route),
  };
}

function parametersOf({ params = {}, query, headers = [] }: Route): readonly JsonSchema[] {
  const { properties = {}, required = [] } = (query === undefined ? {} : inputSchema(query)) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  const inPath = { in: 'path', required: true, schema: text };
  return [
    ...Object.entries(params).map(([name, description]) => ({ ...inPath, name, description })),
    ...Object.entries(properties).map(([name, { description, ...schema }]) => ({
      in: 'query',
      name,
      required: required.includes(name),
      description,
      schema,
    })),
    ...headers.map((name) => ({ in: 'header', name, description: requestHeaders[name], schema: text })),
  ];
}

function bodyOf(route: Route): JsonSchema | undefined {
  if ('serve' in route) {
    const { content } = route;
    return content && { required: true, content: { [content.type]: { schema: content.schema } } };
  }
  // By the specification a GET has no body; one that comes with it is read all the same.
  if (route.body === undefined || route.method === 'GET') return undefined;
  return { content: { 'application/json': { schema: inputSchema(route.body) } } };
}

function responsesOf(route: Route): JsonSchema {
  const always: HeaderNames = route.limited === true ? ['RateLimit', 'RateLimit-Policy'] : [];
  const codes = errorsOf(route);
  const statuses = new Set(codes.map((code) => errorCatalogue[code].status));
  const problems = [...statuses].map((status) => [
    String(status),
    problemsOf(status, codes.filter((code) => errorCatalogue[code].status === status).toSorted(), always),
  ]);
  const answers = Object.entries(route.answers).map(([status, answer]) => [
    status,
    answerOf(Number(status), answer, always),
  ]);
  // Readiness and health answer 503 with a body of their own.
  return Object.fromEntries([...problems, ...answers]) as JsonSchema;
}

type HeaderNames = readonly ResponseHeader[];

function answerOf(status: number, answer: Route['answers'][number], always: HeaderNames): JsonSchema {
  const described: AnswerDescription = answer instanceof z.ZodType ? { body: answer } : answer;
  const { description = STATUS_CODES[status], body, type, headers = [] } = described;
  const content = {
    ...(body && { 'application/json': { schema: refTo(body) } }),
    ...(type !== undefined && { [type]: { schema: text } }),
  };
  return { description, headers: headersOf([...always, ...headers]), content };
}

/** Errors that follow from what a row says. */
const errorRules: readonly [(route: Route) => boolean, readonly ErrorCode[]][] = [
  [() => true, ['INVALID_REQUEST', 'FOREIGN_HOST', 'INTERNAL']],
  [({ role }) => role !== 'open', ['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED']],
  [({ method, changes }) => method !== 'GET' || changes === true, ['CROSS_SITE']],
  [
    (route) => ('handle' in route ? route.body : route.content) !== undefined,
    ['MALFORMED_BODY', 'BODY_TOO_LARGE', 'UNSUPPORTED_BODY', 'REQUEST_TIMEOUT', 'OVERLOADED'],
  ],
];

/** Those that follow from the row, and its own. */
function errorsOf(route: Route): readonly ErrorCode[] {
  const ruled = errorRules.flatMap(([applies, codes]) => (applies(route) ? codes : []));
  return [...new Set([...ruled, ...(route.errors ?? [])])];
}

/** What problems may carry beside their body, by status. */
const problemHeaders: Readonly<Record<number, HeaderNames>> = {
  401: ['WWW-Authenticate'],
  409: ['Retry-After'],
  416: ['Content-Range'],
  429: ['Retry-After'],
  502: ['Retry-After'],
  503: ['Retry-After'],
  504: ['Retry-After'],
};

function problemsOf(status: number, codes: readonly ErrorCode[], always: HeaderNames): JsonSchema {
  return {
    description: `${STATUS_CODES[status] ?? ''}. ${codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`).join(' ')}`,
    headers: headersOf([...always, ...(problemHeaders[status] ?? [])]),
    content: {
      [PROBLEM_TYPE]: {
        schema: { $ref: '#/components/schemas/Problem', properties: { code: { enum: codes } } },
      },
    },
  };
}

function headersOf(names: readonly string[]): JsonSchema {
  return Object.fromEntries(
    [...names, 'X-Request-Id'].map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}

/** A JSON Schema of the 2020-12 draft, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A zod schema of an input, as JSON Schema says it: what a client may send, before defaults and clean-ups. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  const override: z.core.ToJSONSchemaParams['override'] = ({ zodSchema, jsonSchema }) => {
    // zod drops the default of what it transforms, also where the schema states it for the document.
    Object.assign(jsonSchema, z.globalRegistry.get(zodSchema as unknown as z.ZodType));
  };
  return tidy(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override }));
}

/** All bodies that are answered, by name; where one holds another it refers to it. */
const answered = z.registry<{ id: string }>();
for (const [name, schema] of Object.entries(schemas)) answered.add(schema, { id: name });
const uriOf = (name: string): string => `#/components/schemas/${name}`;

function componentSchemas(): Record<string, JsonSchema> {
  const { schemas: made } = z.toJSONSchema(answered, { uri: uriOf });
  return Object.fromEntries(Object.entries(made).map(([name, schema]) => [name, tidy(schema)]));
}

/** The reference to one of `schemas`; the document has no place for any other. */
const refTo = (schema: z.ZodType): JsonSchema => ({ $ref: uriOf(answered.get(schema)?.id ?? '') });

const dropped = new Set(['$schema', '$id', '~standard']);

/** Without what only says how zod works. Responses may gain fields, so the document forbids none. */
function tidy(schema: object): JsonSchema {
  const json = JSON.stringify(schema, function (this: object, key, part: unknown) {
    const isNoise =
      dropped.has(key) ||
      (key === 'additionalProperties' && part === false) ||
      (key === 'pattern' && 'format' in this) ||
      Math.abs(Number(part)) === Number.MAX_SAFE_INTEGER;
    return isNoise ? undefined : part;
  });
  return JSON.parse(json) as JsonSchema;
}
