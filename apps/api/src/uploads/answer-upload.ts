import type { Shares } from '@holdfast/shared/http';
import type { MediaRecord } from '@holdfast/shared/media';
import type { Answer, Input } from '../http/route.js';
import type { PublicAddress } from '../http/http-server.js';
import { preferenceApplied, waitInPlace } from '../http/prefer.js';
import type { Shutdown } from '../http/shutdown.js';
import { acceptedMedia } from '../media/present-media.js';
import type { StatusFollowers } from '../media/status-followers.js';

export interface AnswerDependencies {
  /** Requests that wait for their verified record. */
  waits: Shares;
  statusFollowers: StatusFollowers;
  shutdown: Pick<Shutdown, 'draining'>;
  address: Pick<PublicAddress, 'url'>;
}

/**
 * The answer to an accepted upload, however its bytes came: 202, or 201 where the client waited and the record is verified. A replayed
 * answer has the status of the first one, however long ago the file was verified.
 */
export async function answerUpload(
  deps: AnswerDependencies,
  { client, gone }: Pick<Input, 'client' | 'gone'>,
  accepted: MediaRecord,
  waitSeconds: number | undefined,
): Promise<Answer> {
  const waited =
    waitSeconds === undefined
      ? null
      : await waitInPlace(deps.waits, client, gone, (ended) =>
          untilVerified(deps, accepted, waitSeconds, ended),
        );
  const record = waited ?? accepted;
  const body = acceptedMedia(record, deps.address);
  return {
    status: waitSeconds !== undefined && record.status === 'verified' ? 201 : 202,
    body,
    headers: {
      Location: body.links.self,
      ...(waitSeconds === undefined || waited === null ? {} : preferenceApplied(waitSeconds)),
    },
  };
}

/**
 * An accepted record once it is verified at this revision or a later one, or as it was last read when the time is up or the
 * client is gone. Ends early when the process is to end: the file is accepted, and the answer must get out.
 */
async function untilVerified(
  { statusFollowers, shutdown }: AnswerDependencies,
  accepted: MediaRecord,
  waitSeconds: number,
  gone: AbortSignal,
): Promise<MediaRecord> {
  const signal = AbortSignal.any([gone, shutdown.draining, AbortSignal.timeout(waitSeconds * 1_000)]);
  if (accepted.status !== 'saving' || signal.aborted) return accepted;
  let latest = accepted;
  let stop = (): void => undefined;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
    stop = statusFollowers.follow(accepted, (state) => {
      if (state.kind === 'record') latest = state.record;
      const isSettled = latest.revision >= accepted.revision && latest.status !== 'saving';
      if (state.kind !== 'record' || isSettled) resolve();
    });
  });
  stop();
  return latest;
}
