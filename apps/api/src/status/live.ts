import type { Answer } from '../http/endpoint.js';

/** The process is up and its event loop turns; nothing else is asked. */
export const live = () => async (): Promise<Answer> => ({ status: 200, body: { status: 'ok' } });
