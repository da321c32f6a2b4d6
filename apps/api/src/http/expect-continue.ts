import type { IncomingMessage, ServerResponse } from 'node:http';

const waiting = new WeakSet<IncomingMessage>();

/** Notes that the client holds its body back until it is invited (`Expect: 100-continue`). */
export function awaitsInvitation(req: IncomingMessage): void {
  waiting.add(req);
}

/** Called by whoever is about to read the body, after everything that may refuse the request unread. */
export function inviteBody(req: IncomingMessage, res: ServerResponse): void {
  if (waiting.delete(req)) res.writeContinue();
}
