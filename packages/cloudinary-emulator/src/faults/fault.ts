import { z } from 'zod';

const match = z.strictObject({
  /** Endpoint names as in the route table; one or several. Absent = every endpoint where the kind means something. */
  endpoint: z.union([z.string(), z.array(z.string())]).optional(),
  /** Exact, or a prefix when it ends in `*`. */
  publicId: z.string().optional(),
  resourceType: z.enum(['image', 'video', 'raw', 'auto']).optional(),
});

const common = {
  match: match.optional(),
  /** Lets this many matching requests through first. Default 0. */
  skip: z.int().min(0).optional(),
  /** How many requests it hits. Default 1; null = until it is cleared. */
  count: z.int().min(1).nullable().optional(),
};
/** `none`: the work is not done (default). `done`: it is done, and only the answer is wrong. */
const effect = z.enum(['none', 'done']).optional();

/** One planned misbehaviour. */
export const faultSchema = z.discriminatedUnion('kind', [
  /** No answer for `ms` milliseconds, then the connection is cut. The file is not read unless `readBody`. */
  z.strictObject({
    kind: z.literal('silence'),
    ms: z.number(),
    readBody: z.boolean().optional(),
    effect,
    ...common,
  }),
  /** An error answer before the file is read, then the connection is closed. Default 400. */
  z.strictObject({
    kind: z.literal('early-error'),
    status: z.int().optional(),
    message: z.string().optional(),
    ...common,
  }),
  /** The connection is reset after this many bytes of the file (0 = before reading it). */
  z.strictObject({ kind: z.literal('reset-body'), afterBytes: z.int().min(0), ...common }),
  /** A page of HTML with this status, as proxies send it. Default 502. */
  z.strictObject({ kind: z.literal('html'), status: z.int().optional(), effect, ...common }),
  /** A JSON error. Default 500 `General Error`. */
  z.strictObject({
    kind: z.literal('error'),
    status: z.int().optional(),
    message: z.string().optional(),
    effect,
    ...common,
  }),
  /** 200 with something that is not JSON. The work is done unless `effect: 'none'`. */
  z.strictObject({ kind: z.literal('garbage'), body: z.string().optional(), effect, ...common }),
  /** 420 (or 429) with the rate-limit text. */
  z.strictObject({
    kind: z.literal('rate-limit'),
    status: z.union([z.literal(420), z.literal(429)]).optional(),
    ...common,
  }),
  /** The work is done and the connection reset instead of an answer. */
  z.strictObject({ kind: z.literal('drop-after-success'), ...common }),
  /** The work is done; half of the answer is sent, then the connection is reset. */
  z.strictObject({ kind: z.literal('cut-response'), ...common }),
  /** The work is done at once, the answer comes `ms` later. */
  z.strictObject({ kind: z.literal('slow-response'), ms: z.number(), ...common }),
  /** Another address in place of an answer: `to`, or the same one once more. Default 302. */
  z.strictObject({
    kind: z.literal('redirect'),
    to: z.string().optional(),
    status: z.union([z.literal(301), z.literal(302), z.literal(307)]).optional(),
    ...common,
  }),
  /** The file of an upload is read at this pace; with `match.endpoint` `download` it is sent at it. */
  z.strictObject({ kind: z.literal('slow-body'), bytesPerSecond: z.number().positive(), ...common }),
  /** Other bytes are stored than were sent: the first one is flipped, and the etag is that of the result. */
  z.strictObject({ kind: z.literal('corrupt'), ...common }),
  /** Listings and searches show only this share of the assets (0 = none), the same ones on every page. */
  z.strictObject({ kind: z.literal('short-listing'), keep: z.number().min(0).max(1), ...common }),
]);

export type Fault = z.infer<typeof faultSchema>;
export type FaultKind = Fault['kind'];
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>;

/** A fault that waits for its requests, or has met them. */
export interface PlannedFault {
  id: string;
  fault: Fault;
  /** Requests that matched, the skipped ones included. */
  seen: number;
  /** Requests that it hit. */
  hits: number;
}
