import type { z } from 'zod';
import { HoldfastError } from '../errors/index.js';

/** One BullMQ worker of each process serves each of these. */
export const queueNames = ['save', 'verify', 'sync'] as const;
/** The name of a queue, which its Redis keys carry: none may be renamed while jobs wait in it. */
export type QueueName = (typeof queueNames)[number];

/** Everything that the side that adds a job and the side that runs it must agree on. */
export interface JobDefinition<Name extends string, Payload> {
  name: Name;
  queue: QueueName;
  /** Parses the payload on arrival; throws INVALID_REQUEST for data that is none. */
  parse(data: unknown): Payload;
  /** Adding the same id again does nothing while a job with it is kept, so the id names the work, revision included. */
  idFor(payload: Payload): string;
  /** What BullMQ keeps of ended jobs; jobs that failed for good wait for the operator. */
  keep: { completed: { count: number; ageSeconds: number }; failed: { ageSeconds: number } };
}

const HOUR = 3_600;
const DAY = 24 * HOUR;

/** A definition whose payload is checked by the schema; all jobs are kept alike. */
export function defineJob<Name extends string, Schema extends z.ZodType>(definition: {
  name: Name;
  queue: QueueName;
  payload: Schema;
  idFor: (payload: z.infer<Schema>) => string;
}): JobDefinition<Name, z.infer<Schema>> {
  const { name, queue, payload, idFor } = definition;
  return {
    name,
    queue,
    idFor,
    parse: (data) => {
      const parsed = payload.safeParse(data);
      if (parsed.success) return parsed.data;
      throw new HoldfastError('INVALID_REQUEST', `the payload of a ${name} job is not valid`, {
        errors: parsed.error.issues.map((issue) => ({ path: issue.path.join('.'), message: issue.message })),
      });
    },
    keep: { completed: { count: 1_000, ageSeconds: DAY }, failed: { ageSeconds: 30 * DAY } },
  };
}
