import { z } from 'zod';
import { schemas } from './schemas.js';

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

const uriOf = (name: string): string => `#/components/schemas/${name}`;

/** All bodies that are answered, by name; where one holds another it refers to it. */
export function componentSchemas(): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [name, schema] of Object.entries(schemas)) registry.add(schema, { id: name });
  const { schemas: made } = z.toJSONSchema(registry, { uri: uriOf });
  return Object.fromEntries(Object.entries(made).map(([name, schema]) => [name, tidy(schema)]));
}

const names = new Map<z.ZodType, string>(Object.entries(schemas).map(([name, schema]) => [schema, name]));

/** The reference to one of `schemas`. Throws for any other schema: the document has no place for it. */
export function refTo(schema: z.ZodType): JsonSchema {
  const name = names.get(schema);
  if (name === undefined) throw new Error('an answer must have one of the schemas of the document');
  return { $ref: uriOf(name) };
}

const dropped = new Set(['$schema', '$id', '~standard']);

/** Without what only says how zod works. Responses may gain fields, so the document forbids none. */
function tidy(schema: object): JsonSchema {
  const text = JSON.stringify(schema, function (this: object, key, part: unknown) {
    const isNoise =
      dropped.has(key) ||
      (key === 'additionalProperties' && part === false) ||
      (key === 'pattern' && 'format' in this) ||
      Math.abs(Number(part)) === Number.MAX_SAFE_INTEGER;
    return isNoise ? undefined : part;
  });
  return JSON.parse(text) as JsonSchema;
}
