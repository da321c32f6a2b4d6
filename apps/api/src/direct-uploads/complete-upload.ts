import type { MediaRecord } from '@holdfast/shared/media';
import type { Answer, Input } from '../http/endpoint.js';
import { preferenceApplied, readPrefer } from '../http/prefer.js';
import type { PublicAddress } from '../http/public-address.js';
import type { Shutdown } from '../http/shutdown.js';
import { acceptedMedia } from '../media/present-media.js';
import { waitUntilVerified } from '../uploads/wait-until-verified.js';
import { acceptArrival, type ArrivalDependencies } from './accept-arrival.js';

export interface CompleteDependencies extends ArrivalDependencies {
  address: PublicAddress;
  shutdown: Pick<Shutdown, 'draining'>;
}

/** `POST /api/media/uploads/:id/complete`: the client says that its file is on the host. Answers like an upload. */
export const completeUpload =
  (deps: CompleteDependencies) =>
  async ({ params, header, gone, context }: Input<'id'>): Promise<Answer> => {
    const { waitSeconds } = readPrefer(header('prefer'));
    let record: MediaRecord = await acceptArrival(deps, params.id, context.log);
    if (waitSeconds !== undefined) record = await waitUntilVerified(deps, record, waitSeconds, gone);
    const answer = acceptedMedia(record, deps.address);
    return {
      status: record.status === 'verified' ? 201 : 202,
      body: answer,
      headers: {
        Location: answer.links.self,
        ...(waitSeconds === undefined ? {} : preferenceApplied(waitSeconds)),
      },
    };
  };
