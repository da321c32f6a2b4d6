import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorCatalogue } from '@holdfast/foundation/errors';
import { startRedisSandbox, type RedisSandbox } from '@holdfast/shared/testing';
import { startApi, type RunningApi } from '../../test/support/running-api.js';
import type { Route } from '../http/route.js';
import { routes } from '../routes.js';
import { buildDocument, inputSchema, templateOf, type OpenApiDocument } from './document.js';

let redis: RedisSandbox;
let locked: RunningApi;
let publicRead: RunningApi;
let withCloudinary: RunningApi;
let table: Route[];
let document: OpenApiDocument;

beforeAll(async () => {
  redis = await startRedisSandbox();
  const API_KEYS = 'r:read:read-secret';
  locked = await startApi(redis, { API_KEYS });
  publicRead = await startApi(redis, { API_KEYS, PUBLIC_READ: 'true' });
  table = routes(locked.deps).filter((route) => route.method !== 'ALL');
  withCloudinary = await startApi(redis, { CLOUDINARY_URL: 'cloudinary://key:secret@nowhere' });
  document = (await locked.call('GET', '/openapi.json')).body;
});

afterAll(async () => {
  await Promise.all([locked, publicRead, withCloudinary].map((api) => api.close()));
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

  it('has every route of the table, and nothing else', () => {
    const described = Object.entries(document.paths).flatMap(([path, verbs]) =>
      Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`),
    );
    expect(described.toSorted()).toEqual(
      table.map(({ method, path }) => `${method} ${templateOf(path)}`).toSorted(),
    );
  });

  it('describes every parameter that a route takes', () => {
    const cloudinary = routes(withCloudinary.deps).filter((route) => route.method !== 'ALL');
    for (const route of [...table, ...cloudinary]) {
      const inPath = [...route.path.matchAll(/[:*](\w+)/g)].map(([, name]) => name);
      expect(Object.keys(route.params ?? {}), nameOf(route)).toEqual(inPath);
      const { properties = {} } = (route.query === undefined ? {} : inputSchema(route.query)) as {
        properties?: Record<string, { description?: string }>;
      };
      for (const [name, { description }] of Object.entries(properties))
        expect(description, `${nameOf(route)} ?${name}`).toEqual(expect.any(String));
    }
  });

  it('names every code that a problem may have', () => {
    const { properties } = document.components.schemas['Problem'] as unknown as {
      properties: { code: { enum: string[] } };
    };
    expect(properties.code.enum).toEqual(Object.keys(errorCatalogue));
  });

  it('says which role a route needs, and asks for a key where one is needed', () => {
    for (const [api, isPublic] of [
      [locked, false],
      [publicRead, true],
    ] as const) {
      const described = buildDocument(routes(api.deps), api.deps.settings.access);
      for (const route of table) {
        const operation = described.paths[templateOf(route.path)]?.[route.method.toLowerCase()];
        expect(operation?.['x-role'], nameOf(route)).toBe(route.role);
        const isOpen = route.role === 'open' || (route.publicRead === true && isPublic);
        expect(operation?.['security'], nameOf(route)).toHaveLength(isOpen ? 0 : 3);
      }
    }
  });

  it('asks for no key where none is configured', () => {
    const { paths } = buildDocument(table, { keys: [], publicRead: false });
    for (const operation of Object.values(paths).flatMap((verbs) => Object.values(verbs)))
      expect(operation['security']).toEqual([]);
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
    const components: Record<string, unknown> = document.components;
    for (const [, kind = '', name = ''] of refs) expect(components[kind]).toHaveProperty(name);
  });
});
