import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api-error.js';
import type { Reply } from '../http/route.js';
import { sendError, sendHtml, sendJson } from '../http/send.js';
import { waitMs } from '../wait-ms.js';
import type { Fault, FaultKind, FaultOf } from './fault.js';

/** The request that a fault plays with. */
export interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  /** Reads the rest of the body and throws it away. */
  drain: () => Promise<void>;
  refusal: (status: number) => ApiError;
}

/** `before` the work, `after` it, or `during` it (by other code). */
type Moment<F> = 'before' | 'during' | 'after' | ((fault: F) => 'before' | 'during' | 'after');

interface Misbehaviour<F> {
  when: Moment<F>;
  /** Answers wrongly, or not at all; `reply` is the right answer when the work is done. */
  act(fault: F, exchange: Exchange, reply: Reply): Promise<void> | void;
}

const byEffect = (fault: { effect?: 'none' | 'done' | undefined }) =>
  fault.effect === 'done' ? ('after' as const) : ('before' as const);

const nothing = () => undefined;

const misbehaviours: { [K in FaultKind]: Misbehaviour<FaultOf<K>> } = {
  silence: {
    when: byEffect,
    async act(fault, { res, drain }) {
      if (fault.readBody === true) await drain();
      await waitMs(fault.ms);
      res.socket?.destroy();
    },
  },
  'early-error': {
    when: 'before',
    act(fault, { res }) {
      res.shouldKeepAlive = false;
      sendError(res, new ApiError(fault.status ?? 400, fault.message ?? 'Invalid image file'));
    },
  },
  html: {
    when: byEffect,
    async act(fault, { res, drain }) {
      await drain();
      sendHtml(res, fault.status ?? 502, 'Bad Gateway');
    },
  },
  error: {
    when: byEffect,
    async act(fault, { res, drain }) {
      await drain();
      sendError(res, new ApiError(fault.status ?? 500, fault.message ?? 'General Error'));
    },
  },
  garbage: {
    when: (fault) => (fault.effect === 'none' ? 'before' : 'after'),
    async act(fault, { res, drain }) {
      await drain();
      const body = fault.body ?? '{"public_id": "tru';
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
      res.end(body);
    },
  },
  'rate-limit': {
    when: 'before',
    async act(fault, { res, drain, refusal }) {
      await drain();
      sendError(res, refusal(fault.status ?? 420));
    },
  },
  redirect: {
    when: 'before',
    async act(fault, { req, res, drain }) {
      await drain();
      res.writeHead(fault.status ?? 302, { Location: fault.to ?? req.url ?? '/', 'Content-Length': 0 });
      res.end();
    },
  },
  'drop-after-success': { when: 'after', act: (_fault, { res }) => void res.socket?.resetAndDestroy() },
  'cut-response': {
    when: 'after',
    act(_fault, { res }, reply) {
      const text = JSON.stringify(reply);
      res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
      res.write(text.slice(0, text.length / 2), () => res.socket?.resetAndDestroy());
    },
  },
  'slow-response': {
    when: 'after',
    async act(fault, { res }, reply) {
      await waitMs(fault.ms);
      sendJson(res, 200, reply);
    },
  },
  'reset-body': {
    when: (fault) => (fault.afterBytes === 0 ? 'before' : 'during'),
    act: (_fault, { res }) => void res.socket?.resetAndDestroy(),
  },
  'slow-body': { when: 'during', act: nothing },
  corrupt: { when: 'during', act: nothing },
  'short-listing': { when: 'during', act: nothing },
};

/** Whether the fault acts at this moment. */
export function actsAt(fault: Fault, moment: 'before' | 'after'): boolean {
  const { when } = behaviourOf(fault);
  return (typeof when === 'function' ? when(fault) : when) === moment;
}

/** Does what the fault says, in place of the right answer. */
export async function misbehave(fault: Fault, exchange: Exchange, reply: Reply): Promise<void> {
  await behaviourOf(fault).act(fault, exchange, reply);
}

function behaviourOf(fault: Fault): Misbehaviour<Fault> {
  // The table's type guarantees that the entry of a kind takes faults of that kind.
  return misbehaviours[fault.kind] as Misbehaviour<Fault>;
}
