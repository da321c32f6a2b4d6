import type { IncomingMessage, ServerResponse } from 'node:http';
import { ApiError } from '../api-error.js';
import type { ResourceType } from '../assets/asset.js';
import type { Fault } from '../faults/fault.js';
import { actsAt, misbehave, type Exchange } from '../faults/misbehave.js';
import type { Parts } from '../parts.js';
import type { LoggedRequest } from '../request-log.js';
import { waitMs } from '../wait-ms.js';
import { authenticateForm, checkBasicAuth } from './authenticate.js';
import { deliverAsset } from './deliver-file.js';
import { fieldList, fieldText, type Fields } from './fields.js';
import { receiveFile, type ReadingPace, type UploadedFile } from './receive-file.js';
import { receiveForm, type OpenForm } from './receive-form.js';
import { bodyParams, queryParams } from './receive-params.js';
import type { Call, Reply, Route } from './route.js';
import { sendJson } from './send.js';

/** One request on its way through the emulator. */
export interface Visit {
  req: IncomingMessage;
  res: ServerResponse;
  route: Route;
  path: Record<string, string>;
  search: string;
  entry: LoggedRequest;
}

type RouteOf<A extends Route['api']> = Extract<Route, { api: A }>;

/**
 * Answers a call whose route is known: let in, maybe hit by a fault, done, answered. Throws an `ApiError`
 * for what the API refuses.
 */
export async function answerCall(visit: Visit, parts: Parts): Promise<void> {
  const { route } = visit;
  if (route.api === 'download') await answerDownload(visit, parts);
  else if (route.api === 'admin') await answerAdmin(visit, route, parts);
  else await answerForm(visit, route, parts);
}

async function answerAdmin(visit: Visit, route: RouteOf<'admin'>, parts: Parts): Promise<void> {
  const { req, res } = visit;
  const query = queryParams(visit.search);
  const body = req.method === 'GET' ? { fields: {}, json: null } : await bodyParams(req);
  checkBasicAuth(req.headers.authorization, parts);
  const { headers, error } = parts.limit.count();
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value);
  const call = callOf(visit, { ...query, ...body.fields }, body.json);
  const fault = takeFault(visit, call, parts);
  const exchange = exchangeOf(visit, parts, () => Promise.resolve());
  if (fault !== null && actsAt(fault, 'before')) return misbehave(fault, exchange, {});
  if (error !== null) throw error;
  if (fault?.kind === 'short-listing') call.listingShare = fault.keep;
  const reply = await route.handle(call, parts);
  await finish(fault, exchange, reply, parts.settings.listDelayMs);
}

/** A file under a signed address: any delivery type, no Basic authentication, not counted by the limit. */
async function answerDownload(visit: Visit, parts: Parts): Promise<void> {
  const fields = queryParams(visit.search);
  authenticateForm(fields, parts);
  const expiresAt = Number(fieldText(fields, 'expires_at') || Infinity);
  if (expiresAt * 1_000 < parts.now()) throw new ApiError(401, 'The download address has expired');
  const resourceType = (visit.path['rt'] ?? '') as ResourceType;
  const type = fieldText(fields, 'type') || 'upload';
  const asset = parts.assets.get(resourceType, type, fieldText(fields, 'public_id')) ?? null;
  const exchange = exchangeOf(visit, parts, () => Promise.resolve());
  await deliverAsset({ asset, endpoint: visit.route.endpoint, resourceType }, exchange, visit.entry, parts);
}

async function answerForm(visit: Visit, route: RouteOf<'signed' | 'file'>, parts: Parts): Promise<void> {
  const form = await openForm(visit.req);
  const call = callOf(visit, form.fields, null);
  // Browsers may send fields behind the file; then the whole body has to be read to know the caller.
  const knownEarly =
    form.file === null ||
    Object.hasOwn(form.fields, 'signature') ||
    Object.hasOwn(form.fields, 'upload_preset');
  const signedFields = Object.keys(form.fields).length;
  if (knownEarly) authenticateForm(form.fields, parts);
  const fault = takeFault(visit, call, parts);
  const exchange = exchangeOf(visit, parts, () => {
    form.file?.stream.resume();
    return form.finished;
  });
  if (fault !== null && actsAt(fault, 'before')) return misbehave(fault, exchange, {});

  if (route.api !== 'file') {
    await form.finished;
    return finish(fault, exchange, await route.handle(call, parts), parts.settings.responseDelayMs);
  }
  const early = form.file === null || !knownEarly ? null : route.early(call, parts);
  if (early !== null) return sendJson(visit.res, 200, early);
  const file = form.file === null ? null : await takeFile(form.file, route, call, fault, visit, parts);
  try {
    await form.finished;
    if (!knownEarly || Object.keys(form.fields).length !== signedFields) authenticateForm(form.fields, parts);
  } catch (error) {
    await file?.writer.abort();
    throw error;
  }
  return finish(fault, exchange, await route.handle(call, file, parts), parts.settings.responseDelayMs);
}

/** A form, or the same parameters urlencoded. */
async function openForm(req: IncomingMessage): Promise<OpenForm> {
  if ((req.headers['content-type'] ?? '').startsWith('multipart/form-data')) return receiveForm(req);
  const { fields, json } = await bodyParams(req);
  for (const [name, value] of Object.entries((json ?? {}) as Record<string, unknown>)) {
    fields[name] = Array.isArray(value) ? value.map(String) : String(value);
  }
  return { fields, file: null, finished: Promise.resolve() };
}

async function takeFile(
  file: NonNullable<OpenForm['file']>,
  route: RouteOf<'file'>,
  call: Call,
  fault: Fault | null,
  { res }: Visit,
  parts: Parts,
): Promise<UploadedFile> {
  const open = route.open(call, parts);
  const pace: ReadingPace = {
    ...(fault?.kind === 'slow-body' ? { bytesPerSecond: fault.bytesPerSecond } : {}),
    ...(fault?.kind === 'corrupt' ? { corrupt: true } : {}),
    ...(fault?.kind === 'reset-body'
      ? { breakAfterBytes: fault.afterBytes, onBreak: () => void res.socket?.resetAndDestroy() }
      : {}),
  };
  try {
    const { maxBytes, maxRequestBytes } = parts.settings;
    const limits = { keepBytes: Math.max(...Object.values(maxBytes)), maxBytes: maxRequestBytes, pace };
    return { ...(await receiveFile(file.stream, file.filename, open, limits)), ...open };
  } catch (error) {
    await open.writer.abort();
    throw error instanceof ApiError ? error : new ApiError(400, 'The client went away');
  }
}

function callOf({ path, req }: Visit, fields: Fields, json: unknown): Call {
  return { path, fields, json, headers: req.headers, listingShare: 1 };
}

function takeFault(visit: Visit, { path, fields }: Call, parts: Parts): Fault | null {
  const publicId =
    path['public_id'] ??
    path['asset_id'] ??
    (fieldText(fields, 'public_id') ||
      fieldText(fields, 'from_public_id') ||
      fieldList(fields, 'public_ids')[0] ||
      '');
  visit.entry.publicId = publicId;
  const fault = parts.faults.take({
    endpoint: visit.route.endpoint,
    publicId,
    resourceType: path['rt'] ?? '',
  });
  visit.entry.fault = fault?.kind ?? null;
  return fault;
}

function exchangeOf({ req, res }: Visit, parts: Parts, drain: () => Promise<void>): Exchange {
  return { req, res, drain, refusal: (status) => parts.limit.refusal(status) };
}

async function finish(fault: Fault | null, exchange: Exchange, reply: Reply, delayMs: number): Promise<void> {
  if (delayMs > 0) await waitMs(delayMs);
  if (fault !== null && actsAt(fault, 'after')) await misbehave(fault, exchange, reply);
  else sendJson(exchange.res, 200, reply);
}
