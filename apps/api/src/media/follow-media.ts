import { HoldfastError } from '@holdfast/foundation/errors';
import type { MediaRecord } from '@holdfast/shared/media';
import type { Dependencies } from '../dependencies.js';
import type { Answer, Input } from '../http/route.js';
import { findMedia } from './read-media.js';
import { entityTag, presentMedia, type PresentedMedia } from './present-media.js';
import { createBell, type FollowedState } from './status-followers.js';

/** Proxies cut connections on which nothing moves, mostly after a minute. */
const HEARTBEAT_MS = 15_000;
const RECONNECT_AFTER_MS = 2_000;

/** One file as Server-Sent Events: what it is now, then each change, until it is deleted or the client leaves. */
export const followMedia =
  (deps: Dependencies, heartbeatMs = HEARTBEAT_MS) =>
  async ({ params, gone, client }: Input<'id'>): Promise<Answer> => {
    const record = await findMedia(deps, params.id);
    if (!deps.streams.admits(client))
      throw new HoldfastError('OVERLOADED', 'too many event streams are open', { retryAfterSeconds: 5 });
    return {
      status: 200,
      headers: {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store, no-transform',
        // Some proxies buffer whole answers unless this header is set.
        'X-Accel-Buffering': 'no',
      },
      stream: events(deps, record, client, AbortSignal.any([gone, deps.shutdown.draining]), heartbeatMs),
    };
  };

/** A client that reads slowly misses what is out of date by the time it has read on. */
async function* events(
  { statusFollowers, streams, address }: Dependencies,
  record: MediaRecord,
  client: string,
  left: AbortSignal,
  heartbeatMs: number,
): AsyncGenerator<string> {
  const given = new AbortController();
  const leave = streams.take(client, { giveUp: () => given.abort() });
  if (leave === null) return;
  const ended = AbortSignal.any([left, given.signal]);
  const bell = createBell();
  ended.addEventListener('abort', () => bell.ring(), { once: true });
  const inbox: { newest: FollowedState | null } = { newest: null };
  const stop = statusFollowers.follow(record, (state) => {
    inbox.newest = state;
    bell.ring();
  });
  try {
    let sent = statusEvent(presentMedia(record, address));
    yield `retry: ${String(RECONNECT_AFTER_MS)}\n${sent}`;
    for (;;) {
      if (!ended.aborted) await bell.heard(heartbeatMs);
      if (ended.aborted) return;
      const state = inbox.newest;
      inbox.newest = null;
      if (state === null) yield ': still here\n\n';
      else if (state.kind === 'deleted') {
        yield `event: deleted\ndata: ${JSON.stringify({ id: record.id })}\n\n`;
        return;
      } else {
        const event = statusEvent(presentMedia(state.record, address));
        if (event !== sent) yield (sent = event);
      }
    }
  } finally {
    leave();
    stop();
  }
}

/** The id of the event is the entity tag of the record: equal ids, equal states. */
function statusEvent(media: PresentedMedia): string {
  return `id: ${entityTag(media).replaceAll('"', '')}\nevent: status\ndata: ${JSON.stringify(media)}\n\n`;
}
