import { encodeContent } from '../catalog/index.js';
import { CLAIM_KEPT_MS, type HeldClaim } from '../idempotency/index.js';
import type { JobInsert } from '../jobs/index.js';
import type { MediaRecord } from '../media/index.js';
import type { ScriptArgument } from '../redis/index.js';

/** The claim that an accepted upload fulfils. `print`: the fingerprint of its request. */
export interface FulfilledClaim extends Pick<HeldClaim, 'key' | 'token'> {
  print: string;
  /** For an upload under way: it is refused when another try has the claim. What is committed counts in any case. */
  exclusive: boolean;
}

/** An upload that is there in full. */
export interface Acceptance {
  record: MediaRecord;
  /** Also when intent or claim are not there any more: the asset carries the commit mark. */
  committed?: boolean;
  claim?: FulfilledClaim | null;
  /** Added in the same step. */
  jobs?: readonly JobInsert[];
  /** An intent that is opened in the same step; null for none. */
  next?: NextUpload | null;
}

/** An upload to come. */
export interface NextUpload {
  id: string;
  publicId: string;
  maxBacklog: number;
  /** Called when its intent is open, before the acceptance is answered. */
  onOpened: () => void;
}

/** What the script is told of each upload, in this order; the names are those of its Lua locals. Its jobs follow. */
const told = {
  id: ({ record }) => record.id,
  pushed: ({ record }) => record.pushedRevision,
  content: ({ record }) => encodeContent(record),
  /** '1' = also when the intent is gone: its asset is committed, nobody may destroy it. */
  committed: ({ committed }) => (committed === true ? '1' : '0'),
  /** '' = none. */
  claim: ({ claim }) => claim?.key ?? '',
  token: ({ claim }) => claim?.token ?? '',
  print: ({ claim }) => claim?.print ?? '',
  keep_ms: () => CLAIM_KEPT_MS,
  /** '1' = only while no other try has the claim. */
  exclusive: ({ claim }) => (claim?.exclusive === true ? '1' : '0'),
  /** '' = none. */
  next_id: ({ next }) => next?.id ?? '',
  next_public_id: ({ next }) => next?.publicId ?? '',
  next_backlog: ({ next }) => next?.maxBacklog ?? '',
  jobs: ({ jobs }) => jobs?.length ?? 0,
} as const satisfies Record<string, (upload: Acceptance) => ScriptArgument>;

/** How many there are. */
export const ACCEPT_VALUES = Object.keys(told).length;

/** Their names, as Lua lists them. */
export const acceptLocals = Object.keys(told).join(', ');

/** Of each job its keys and values follow, see jobs-in-scripts.ts. */
export function acceptArguments(upload: Acceptance): ScriptArgument[] {
  return [
    ...Object.values(told).map((valueOf) => valueOf(upload)),
    ...(upload.jobs ?? []).flatMap(({ keys, values }) => [...keys, ...values]),
  ];
}
