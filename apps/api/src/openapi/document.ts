import { STATUS_CODES } from 'node:http';
import type { AccessSettings } from '@holdfast/foundation/config';
import { errorCatalogue, PROBLEM_TYPE, type ErrorCode } from '@holdfast/foundation/errors';
import { requestHeaders, responseHeaders, type ResponseHeader } from '../http/described-headers.js';
import type { Answer, Input } from '../http/endpoint.js';
import { answerFixed, fixedBody, type FixedBody } from '../http/fixed-body.js';
import type { AnswerDescription, Route, VerbRoute } from '../http/route.js';
import { componentSchemas, inputSchema, refTo, type JsonSchema } from './json-schema.js';

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, JsonSchema>>;
  components: { schemas: Record<string, JsonSchema> } & Record<string, unknown>;
  [part: string]: unknown;
}

const DESCRIPTION = `Keeps media files permanently: once the answer is 201 or 202, the file is never lost.

Errors are problem documents (RFC 9457) with a stable \`code\`. Besides the codes listed for each operation, every path answers
404 \`NOT_FOUND\` where no such path exists, and 405 \`METHOD_NOT_ALLOWED\` for methods that it does not allow. Every \`GET\` also
answers \`HEAD\`, except the one that starts a sync. An upload and a deletion answer \`{media, links}\`, a read and an edit the bare
record. Responses may gain fields. \`x-role\` names the role that a key needs: admin includes write, and write includes read. If
no key is configured, none is needed. \`/admin/queues\` (role admin) is Bull Board, a web page.`;

/** The handler of `GET /openapi.json`. The document is built when it is first asked for. */
export function showDocument(routes: () => readonly Route[], access: DocumentedAccess) {
  let document: Promise<FixedBody> | undefined;
  return async (input: Input): Promise<Answer> => {
    document ??= fixedBody(Buffer.from(JSON.stringify(buildDocument(routes(), access))));
    return answerFixed(await document, input, { 'Content-Type': 'application/json; charset=utf-8' });
  };
}

/** What the document must know of the settings. */
export type DocumentedAccess = Pick<AccessSettings, 'publicRead'>;

/** The OpenAPI document of the routes that this process serves. Bull Board, which is a page of its own, is not in it. */
export function buildDocument(routes: readonly Route[], access: DocumentedAccess): OpenApiDocument {
  const paths: OpenApiDocument['paths'] = {};
  for (const route of routes) {
    if (route.method === 'ALL') continue;
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = describe(route, access);
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

function describe(route: VerbRoute, access: DocumentedAccess): JsonSchema {
  const body = bodyOf(route);
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    'x-role': route.role,
    security: securityOf(route, access),
    parameters: parametersOf(route),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: responsesOf(route),
  };
}

function operationId({ method, path }: VerbRoute): string {
  const words = path.split(/[^A-Za-z]+/).filter((word) => word !== '');
  return [method.toLowerCase(), ...words].join('_');
}

/** Nothing where no key is looked at: Swagger UI shows a closed padlock where a key is merely optional. */
function securityOf({ role, publicRead }: VerbRoute, access: DocumentedAccess): readonly JsonSchema[] {
  const isOpen = role === 'open' || (publicRead === true && access.publicRead);
  return isOpen ? [] : [{ bearer: [] }, { apiKey: [] }, { basic: [] }];
}

function parametersOf({ path, params = {}, query, headers = [] }: VerbRoute): readonly JsonSchema[] {
  const names = [...path.matchAll(/[:*]([A-Za-z]+)/g)].map(([, name = '']) => name);
  const { properties = {}, required = [] } = (query === undefined ? {} : inputSchema(query)) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return [
    ...names.map((name) => parameter('path', name, { type: 'string', description: params[name] }, true)),
    ...Object.entries(properties).map(([name, schema]) =>
      parameter('query', name, schema, required.includes(name)),
    ),
    ...headers.map((name) => ({ in: 'header', name, ...requestHeaders[name] })),
  ];
}

function parameter(place: string, name: string, whole: JsonSchema, required: boolean): JsonSchema {
  const { description, ...schema } = whole;
  return { in: place, name, required, ...(description === undefined ? {} : { description }), schema };
}

function bodyOf(route: VerbRoute): JsonSchema | undefined {
  if ('serve' in route) {
    const { content } = route;
    return content && { required: true, content: { [content.type]: { schema: content.schema } } };
  }
  // By the specification a GET has no body; one that comes with it is read all the same.
  if (route.body === undefined || route.method === 'GET') return undefined;
  return { content: { 'application/json': { schema: inputSchema(route.body) } } };
}

function responsesOf(route: VerbRoute): JsonSchema {
  const always = route.limited === true ? limited : [];
  const answers = Object.entries(route.answers).map(([status, answer]) => [status, answerOf(answer, always)]);
  const problems = [...errorsOf(route)].map(([status, codes]) => [
    String(status),
    problemsOf(status, codes, always),
  ]);
  // Readiness and health answer 503 with a body of their own.
  return Object.fromEntries([...problems, ...answers]) as JsonSchema;
}

function answerOf(
  { description, body, type, headers = [] }: AnswerDescription,
  always: HeaderNames,
): JsonSchema {
  const content = {
    ...(body === undefined ? {} : { 'application/json': { schema: refTo(body) } }),
    ...(type === undefined ? {} : { [type]: { schema: { type: 'string' } } }),
  };
  return {
    description,
    headers: headersOf([...always, ...headers]),
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}

type HeaderNames = readonly ResponseHeader[];
const limited: HeaderNames = ['RateLimit', 'RateLimit-Policy'];
const again: HeaderNames = ['Retry-After'];
const challenge: HeaderNames = ['WWW-Authenticate'];

interface ErrorRule {
  applies: (route: VerbRoute) => boolean;
  codes: readonly ErrorCode[];
}

/** Errors that follow from what a row says. */
const errorRules: readonly ErrorRule[] = [
  { applies: () => true, codes: ['INVALID_REQUEST', 'FOREIGN_HOST', 'INTERNAL'] },
  { applies: ({ role }) => role !== 'open', codes: ['UNAUTHENTICATED', 'FORBIDDEN', 'RATE_LIMITED'] },
  { applies: ({ method, changes }) => method !== 'GET' || changes === true, codes: ['CROSS_SITE'] },
  { applies: ({ limited: isLimited }) => isLimited === true, codes: ['RATE_LIMITED'] },
  {
    applies: (route) => ('handle' in route ? route.body : route.content) !== undefined,
    codes: ['MALFORMED_BODY', 'BODY_TOO_LARGE', 'UNSUPPORTED_BODY', 'REQUEST_TIMEOUT', 'OVERLOADED'],
  },
];

/** The codes of a route by status: those that follow from its row, and its own. */
function errorsOf(route: VerbRoute): ReadonlyMap<number, readonly ErrorCode[]> {
  const rules = errorRules.filter((rule) => rule.applies(route));
  const codes = new Set([...rules.flatMap((rule) => rule.codes), ...(route.errors ?? [])]);
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCatalogue[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

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
