import { z } from 'zod';
import { fieldDescriptions } from './field-descriptions.js';
import type { JsonSchema } from './operation.js';
import { schemas, type SchemaName } from './schemas.js';

const refTo = (name: string): string => `#/components/schemas/${name}`;

/** A zod schema of an input, as JSON Schema says it: what a client may send, before defaults and clean-ups. */
export function inputSchema(schema: z.ZodType): JsonSchema {
  return tidy(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
}

/** All bodies that are answered, by name; where one holds another it refers to it. */
export function componentSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(schemas)) registry.add(schema, { id: name });
  const { schemas: made } = z.toJSONSchema(registry, { uri: refTo });
  return Object.fromEntries(
    Object.entries(made).map(([name, schema]) => [name, withDescriptions(name as SchemaName, tidy(schema))]),
  );
}

function withDescriptions(name: SchemaName, schema: JsonSchema): JsonSchema {
  const properties = { ...(schema['properties'] as Record<string, JsonSchema> | undefined) };
  for (const [field, description] of Object.entries(fieldDescriptions[name] ?? {}))
    properties[field] = { ...properties[field], description };
  return { ...schema, properties };
}

const dropped = new Set(['$schema', '$id', '~standard']);

/** Without what only says how zod works. Answers may get more fields, so the document forbids none. */
function tidy(schema: unknown): JsonSchema {
  const clean = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(clean);
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).filter(([key, part]) => {
      if (dropped.has(key)) return false;
      if (key === 'additionalProperties' && part === false) return false;
      if (key === 'pattern' && 'format' in value) return false;
      return Math.abs(Number(part)) !== Number.MAX_SAFE_INTEGER;
    });
    return Object.fromEntries(entries.map(([key, part]) => [key, clean(part)]));
  };
  return clean(schema) as JsonSchema;
}
