import { brokenForms } from './broken-forms.js';
import { brokenRequests } from './broken-requests.js';
import { createRandom } from './random.js';
import type { RawRequest } from './request-text.js';

/** What its sender does after the last byte: waits for the answer, or leaves at once, by FIN or by RST. */
export type Ending = 'wait' | 'end' | 'reset';

export interface MalformedRequest extends RawRequest {
  ending: Ending;
}

/** The request number `index` of the run with this seed; the same each time. */
export function malformedRequest(seed: number, index: number): MalformedRequest {
  const random = createRandom(seed * 1_000_003 + index);
  const make = random.pick(random.chance(0.5) ? brokenForms : brokenRequests);
  const request = make(random);
  if (!random.chance(0.2)) return { ...request, ending: 'wait' };
  // Half a request, of any sort.
  const bytes = request.bytes.subarray(0, random.int(request.bytes.length));
  return { bytes, complete: false, ending: random.pick(['wait', 'end', 'reset'] as const) };
}
