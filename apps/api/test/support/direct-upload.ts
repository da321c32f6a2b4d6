import { onePixelPng } from '@holdfast/shared/testing';
import { expect } from 'vitest';
import type { Called, RunningApi } from './running-api.js';

/** What a client needs to send one file straight to the host. */
export interface Ticket {
  id: string;
  url: string;
  fields: Record<string, string>;
  expiresAt: string;
}

export async function sign(from: RunningApi, body: object = {}): Promise<Ticket> {
  const answer = await from.call('POST', '/api/media/uploads/sign', body);
  expect(answer.status).toBe(200);
  return answer.body as Ticket;
}

/** What a browser does with a ticket: posts the form straight to the host. */
export async function post(
  { url, fields }: Ticket,
  file: Buffer = onePixelPng,
  over: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown> }> {
  const form = new FormData();
  for (const [name, value] of Object.entries({ ...fields, ...over })) form.set(name, value);
  form.set('file', new Blob([new Uint8Array(file)]), 'blob');
  const response = await fetch(url, { method: 'POST', body: form });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

export const complete = (
  from: RunningApi,
  id: string,
  headers: Record<string, string> = {},
): Promise<Called> => from.call('POST', `/api/media/uploads/${id}/complete`, undefined, headers);
