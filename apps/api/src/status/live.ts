import { endpoint } from '../http/endpoint.js';

/** The process is up and its event loop turns; nothing else is asked. */
export const live = () => endpoint({ handle: async () => ({ status: 200, body: { status: 'ok' } }) });
