import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { responseHeaders } from '../../src/http/described-headers.js';
import type { JsonSchema, OpenApiDocument } from '../../src/openapi/document.js';

export interface SeenAnswer {
  method: string;
  /** With its query. */
  path: string;
  status: number;
  type: string | null;
  /** Parsed where it is JSON. */
  body: unknown;
  headers?: Headers;
}

/** What is wrong with the answer by the document; null when nothing is. */
export type AnswerCheck = (answer: SeenAnswer) => string | null;

interface Described {
  responses: Record<
    string,
    { content?: Record<string, { schema: JsonSchema }>; headers?: Record<string, unknown> }
  >;
}

/** What an answer may carry only where its description says so. */
const describedHeaders = Object.keys(responseHeaders).map((name) => name.toLowerCase());

/** Answers that every path gives, see the description of the document. */
const everywhere = new Set(['NOT_FOUND', 'METHOD_NOT_ALLOWED', 'HEADERS_TOO_LARGE']);

/**
 * Compares answers with the document, strictly: a field, a status, a code or a media type that it does not name is wrong,
 * although clients are told that answers may get more fields.
 */
export function createAnswerCheck(document: OpenApiDocument): AnswerCheck {
  const ajv = new Ajv2020({ allErrors: true, strict: false });
  formats.default(ajv);
  ajv.addSchema({ $id: 'holdfast', ...(strict(document) as object) });
  const compiled = new Map<string, ValidateFunction>();
  const validatorAt = (pointer: string): ValidateFunction => {
    const known = compiled.get(pointer) ?? ajv.compile({ $ref: `holdfast#${pointer}` });
    compiled.set(pointer, known);
    return known;
  };
  const templates = Object.keys(document.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replaceAll('{path}', '.+').replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  }));

  return ({ method, path, status, type, body, headers }) => {
    const { pathname } = new URL(path, 'http://api');
    const problem = body as { code?: string } | null;
    const kind = type?.split(';', 1)[0] ?? null;
    const found = templates.find(({ template, pattern }) => {
      const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
      return pattern.test(pathname) && document.paths[template]?.[verb] !== undefined;
    });
    if (found === undefined || (kind === 'application/problem+json' && everywhere.has(problem?.code ?? ''))) {
      if (kind !== 'application/problem+json') return null;
      return errorsOf(validatorAt('/components/schemas/Problem'), body);
    }
    const { template } = found;
    const verb = method === 'HEAD' ? 'get' : method.toLowerCase();
    const described = document.paths[template]?.[verb] as Described | undefined;
    const response = described?.responses[String(status)];
    const where = `${method} ${template} answered ${String(status)} ${problem?.code ?? ''}`;
    if (response === undefined) return `${where}, which is not described`;
    const named = Object.keys(response.headers ?? {}).map((name) => name.toLowerCase());
    const stray = describedHeaders.filter((name) => headers?.has(name) === true && !named.includes(name));
    if (stray.length > 0) return `${where} with ${stray.join(', ')}, which is not described`;
    if (method === 'HEAD' || kind === null) return null;
    const { content = {} } = response;
    if (content[kind] === undefined)
      return content['*/*'] === undefined ? `${where} of the type ${kind}, which is not described` : null;
    if (!kind.endsWith('json')) return null;
    const escape = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');
    const pointer = ['paths', template, verb, 'responses', String(status), 'content', kind, 'schema'];
    const wrong = errorsOf(
      validatorAt(`/${pointer.map((part) => encodeURIComponent(escape(part))).join('/')}`),
      body,
    );
    return wrong === null ? null : `${where}: ${wrong}`;
  };
}

function errorsOf(validate: ValidateFunction, body: unknown): string | null {
  if (validate(body)) return null;
  return (validate.errors ?? [])
    .map(({ instancePath, message, params }) => `${instancePath} ${message ?? ''} ${JSON.stringify(params)}`)
    .join('; ');
}

/** Every object with named fields takes no others. */
function strict(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strict);
  if (typeof value !== 'object' || value === null) return value;
  const all = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, strict(part)]));
  return all['type'] === 'object' && 'properties' in all && !('additionalProperties' in all)
    ? { ...all, additionalProperties: false }
    : all;
}
