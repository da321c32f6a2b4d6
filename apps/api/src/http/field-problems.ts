import type { z } from 'zod';
import { HoldfastError, type FieldProblem } from '@holdfast/shared/errors';

/** The input as the schema gives it. Throws INVALID_REQUEST with every problem by the name of its field. */
export function parseInput<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  detail: string,
): z.infer<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new HoldfastError('INVALID_REQUEST', detail, { errors: parsed.error.issues.flatMap(problemsOf) });
}

function problemsOf(issue: z.core.$ZodIssue): FieldProblem[] {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
  return issue.keys.map((key) => ({
    path: path === '' ? key : `${path}.${key}`,
    message: 'is not known here',
  }));
}
