import { z } from 'zod';
import { HoldfastError, nearestName, type FieldProblem } from '@holdfast/foundation/errors';

/** An answer must not be many times as large as the request, which may be wrong in thousands of places. */
const MOST_PROBLEMS = 20;
const LONGEST_PATH = 100;

/** The input as the schema gives it. Throws INVALID_REQUEST with the first problems by the names of their fields. */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown, detail: string): T {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => problemsOf(issue, namesOf(schema)));
  const more = problems.length - MOST_PROBLEMS;
  const last = more > 0 ? [{ path: '', message: `and ${String(more)} more problems` }] : [];
  throw new HoldfastError('INVALID_REQUEST', detail, {
    errors: [...problems.slice(0, MOST_PROBLEMS), ...last],
  });
}

const namesOf = (schema: z.ZodType): readonly string[] =>
  schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];

function problemsOf(issue: z.core.$ZodIssue, names: readonly string[]): FieldProblem[] {
  const pathTo = (...key: string[]): string =>
    [...issue.path.map(String), ...key].join('.').slice(0, LONGEST_PATH);
  if (issue.code !== 'unrecognized_keys') return [{ path: pathTo(), message: issue.message }];
  const known = issue.path.length === 0 ? names : [];
  return issue.keys.map((key) => ({ path: pathTo(key), message: unknown(key, known) }));
}

/** With the name that was probably meant: one letter in three may differ. */
function unknown(key: string, names: readonly string[]): string {
  const meant = key.length > LONGEST_PATH ? undefined : nearestName(key, names, Math.floor(key.length / 3));
  return meant === undefined ? 'is unknown' : `is unknown; did you mean ${meant}?`;
}

/** The query parameter `limit`: how many items of a list a client wants, as a whole number from 1 to `most`; `usual` without it. */
export const pageLimit = (usual: number, most: number) =>
  z
    .string('must be given once')
    .regex(/^\d{1,9}$/, 'must be a whole number')
    .transform(Number)
    .refine((limit) => limit >= 1 && limit <= most, `must be from 1 to ${String(most)}`)
    .default(usual)
    .meta({ description: 'Items per page.', type: 'integer', minimum: 1, maximum: most, default: usual });

/** The tags of `If-Match` or `If-None-Match`, as they are written. */
export function splitTags(header: string): string[] {
  return header.match(/(?:W\/)?"[^"]*"/g) ?? [];
}
