import { askForKey, keyHeaders } from './api-key.js';

/** A refusal in words. */
export class Refusal extends Error {
  /** @param {number} status @param {{ code?: string, detail?: string, errors?: { path: string, message: string }[] }} problem */
  constructor(status, { code = '', detail = '', errors = [] }) {
    const more = errors.map(({ path, message }) => `${path} ${message}`).join('; ');
    super([code || `status ${String(status)}`, detail, more].filter((part) => part !== '').join(': '));
    this.status = status;
  }
}

/**
 * Calls the API with the key of this tab, and asks for one if it is refused.
 * @param {string} path
 * @param {{ method?: string }} [init]
 * @returns {Promise<Response>}
 */
export async function request(path, init = {}) {
  const sent = keyHeaders();
  const response = await fetch(path, { ...init, headers: sent }).catch((cause) => {
    throw new Error('The API is not responding.', { cause });
  });
  if (response.status !== 401) return response;
  const isNew = keyHeaders().Authorization !== sent.Authorization;
  if (isNew || (await askForKey())) return request(path, init);
  return response;
}

/**
 * The JSON of an answer; `accepts` lists further statuses that carry one. Rejects with a Refusal.
 * @param {string} path
 * @param {{ method?: string }} [init]
 * @param {readonly number[]} [accepts]
 */
export async function call(path, init = {}, accepts = []) {
  const response = await request(path, init);
  const body = await response.json().catch(() => ({}));
  if (!response.ok && !accepts.includes(response.status)) throw new Refusal(response.status, body);
  return body;
}
