import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCatalogue } from '@holdfast/shared/errors';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';
import type { VerbRoute } from '../http/route.js';
import { routes } from '../routes.js';
import { buildDocument, templateOf, type OpenApiDocument } from './build-document.js';
import { inputSchema } from './component-schemas.js';
import { fieldDescriptions } from './field-descriptions.js';
import { operations } from './operations.js';
import { schemas } from './schemas.js';

let redis: RedisSandbox;
let api: RunningApi;
let withCloudinary: RunningApi;
let table: VerbRoute[];
let document: OpenApiDocument;

beforeAll(async () => {
  redis = await startRedisSandbox();
  api = await startApi(redis, { API_KEYS: 'r:read:read-secret' });
  table = routes(api.deps).filter((route): route is VerbRoute => route.method !== 'ALL');
  withCloudinary = await startApi(redis, { CLOUDINARY_URL: 'cloudinary://key:secret@nowhere' });
  document = (await api.call('GET', '/openapi.json')).body;
});

afterAll(async () => {
  await Promise.all([api.close(), withCloudinary.close()]);
  await redis.close();
});

const nameOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;

describe('the description', () => {
  it('is open to everyone and valid OpenAPI 3.1', async () => {
    expect(document.openapi).toBe('3.1.0');
    const validator = new Validator();
    expect(await validator.validate(structuredClone(document))).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it('describes every route of the table, and nothing else', () => {
    expect(Object.keys(operations).toSorted()).toEqual(table.map(nameOf).toSorted());
    const described = Object.entries(document.paths).flatMap(([path, verbs]) =>
      Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(
      table.map(({ method, path }) => `${method} ${templateOf(path)}`).toSorted(),
    );
  });

  it('leaves a route out that nobody has described, so that the test above fails', () => {
    const stray = { ...table[0], path: '/stray' } as VerbRoute;
    expect(Object.keys(buildDocument([stray], operations).paths)).toEqual([]);
  });

  it('describes every parameter that a route takes, and none that it does not', () => {
    const verbs = routes(withCloudinary.deps).filter((route) => route.method !== 'ALL');
    for (const route of [...table, ...verbs]) {
      const operation = operations[nameOf(route)];
      const inPath = [...route.path.matchAll(/[:*](\w+)/g)].map(([, name]) => name);
      expect(Object.keys(operation?.path ?? {}), nameOf(route)).toEqual(inPath);
      if (typeof route.serve === 'function') continue;
      const { query, body } = route.serve;
      const named = Object.keys((query === undefined ? {} : inputSchema(query))['properties'] ?? {});
      expect(Object.keys(operation?.query ?? {}).toSorted(), nameOf(route)).toEqual(named.toSorted());
      const fields = Object.keys((body === undefined ? {} : inputSchema(body))['properties'] ?? {});
      // A route that is not supported here takes no body.
      const described = body === undefined ? [] : Object.keys(operation?.bodyFields ?? {});
      expect(fields, nameOf(route)).toEqual(expect.arrayContaining(described));
    }
  });

  it('explains only fields that answers have', () => {
    for (const [name, fields] of Object.entries(fieldDescriptions)) {
      const { shape } = schemas[name as keyof typeof schemas];
      expect(Object.keys(shape), name).toEqual(expect.arrayContaining(Object.keys(fields)));
    }
  });

  it('names every code that a problem may have', () => {
    const { properties } = document.components.schemas['Problem'] as unknown as {
      properties: { code: { enum: string[] } };
    };
    expect(properties.code.enum).toEqual(Object.keys(errorCatalogue));
  });

  it('says which role a route needs, and that an open one needs no key', () => {
    for (const route of table) {
      const described = document.paths[templateOf(route.path)]?.[route.method.toLowerCase()];
      expect(described?.['x-role'], nameOf(route)).toBe(route.role);
      expect(described?.['security'], nameOf(route)).toHaveLength(
        route.role === 'open' ? 0 : route.publicRead === true ? 4 : 3,
      );
    }
  });

  it('says of each 401 that it names what would be accepted, and of a file which bytes it sends', () => {
    const responses = Object.values(document.paths).flatMap((verbs) =>
      Object.values(verbs).map((verb) => verb['responses'] as Record<string, { headers: object }>),
    );
    const refusals = responses.flatMap((byStatus) => byStatus['401'] ?? []);
    expect(refusals.length).toBeGreaterThan(10);
    for (const { headers } of refusals) expect(headers).toHaveProperty('WWW-Authenticate');
    const file = document.paths['/media/{path}']?.['get']?.['responses'] as (typeof responses)[number];
    expect(Object.keys(file['206']?.headers ?? {})).toEqual(
      expect.arrayContaining(['ETag', 'Last-Modified', 'Content-Range']),
    );
  });

  it('refers only to what is there', () => {
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/([\w-]+)"/g)];
    expect(refs.length).toBeGreaterThan(50);
    const { components } = document;
    for (const [, kind = '', name = ''] of refs) expect(components[kind]).toHaveProperty(name);
  });
});
