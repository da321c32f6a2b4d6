import type { Answer, Input } from '../http/endpoint.js';
import { preferenceApplied, readPrefer, waitInPlace } from '../http/prefer.js';
import type { PublicAddress } from '../http/http-server.js';
import type { Shares } from '@holdfast/shared/http';
import type { Shutdown } from '../http/shutdown.js';
import { acceptedMedia } from '../media/present-media.js';
import { waitUntilVerified } from '../uploads/wait-until-verified.js';
import { acceptArrival, type ArrivalDependencies } from './accept-arrival.js';

export interface CompleteDependencies extends ArrivalDependencies {
  address: PublicAddress;
  /** Requests that wait for their verified record. */
  waits: Shares;
  shutdown: Pick<Shutdown, 'draining'>;
}

/** `POST /api/media/uploads/:id/complete`: the client says that its file is on the host. Answers like an upload. */
export const completeUpload =
  (deps: CompleteDependencies) =>
  async ({ params, header, gone, context, client }: Input<'id'>): Promise<Answer> => {
    const { waitSeconds } = readPrefer(header('prefer'));
    const arrived = await acceptArrival(deps, params.id, context.log);
    const waited =
      waitSeconds === undefined
        ? null
        : await waitInPlace(deps.waits, client, gone, (ended) =>
            waitUntilVerified(deps, arrived, waitSeconds, ended),
          );
    const record = waited ?? arrived;
    const answer = acceptedMedia(record, deps.address);
    return {
      status: record.status === 'verified' ? 201 : 202,
      body: answer,
      headers: {
        Location: answer.links.self,
        ...(waitSeconds === undefined || waited === null ? {} : preferenceApplied(waitSeconds)),
      },
    };
  };
