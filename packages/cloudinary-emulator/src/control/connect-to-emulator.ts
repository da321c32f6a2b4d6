import type { Asset } from '../assets/asset.js';
import type { EmulatorControl, QuietOption } from './emulator-control.js';

/** The control of an emulator in another process. Rejects when nothing answers at the address. */
export async function connectToEmulator(url: string): Promise<EmulatorControl> {
  const base = `${url.replace(/\/+$/, '')}/__emulator`;

  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(`${base}/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
    });
    if (response.ok) return response;
    throw new Error(`The emulator refused ${method} ${path}: ${await response.text()}`);
  };
  // The routes' types are those of the same interface in the other process.
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    (await send(method, path, body)).json() as Promise<T>;
  const about = await call<{ url: string; cloudinaryUrl: string }>('GET', '');

  return {
    url: about.url,
    cloudinaryUrl: about.cloudinaryUrl,
    assets: {
      count: async () => (await call<{ assets: number }>('GET', '')).assets,
      list: (query = {}) => call('GET', `assets?${queryString({ ...query })}`),
      get: (resourceType, publicId, type = 'upload') =>
        call('GET', `assets/find?${queryString({ resourceType, publicId, type })}`),
      byAssetId: (assetId) => call('GET', `assets/${assetId}`),
      async bytes(assetId) {
        const response = await send('GET', `assets/${assetId}/bytes`);
        const isBytes = response.headers.get('content-type') === 'application/octet-stream';
        const content = Buffer.from(await response.arrayBuffer());
        return isBytes ? content : null;
      },
      seed: (count, template = {}) => call('POST', 'seed', { count, template }),
      put({ content, ...input }, options) {
        const body = content === undefined ? input : { ...input, contentBase64: content.toString('base64') };
        return call<Asset>('POST', `assets?${quiet(options)}`, body);
      },
      edit: (assetId, edit, options) => call('PATCH', `assets/${assetId}?${quiet(options)}`, edit),
      rename: (assetId, publicId, options) =>
        call('POST', `assets/${assetId}/rename?${quiet(options)}`, { publicId }),
      remove: (assetId, options) => call('DELETE', `assets/${assetId}?${quiet(options)}`),
      corrupt: (assetId, options = {}) => call('POST', `assets/${assetId}/corrupt`, options),
    },
    requests: {
      counters: () => call('GET', 'requests'),
      recent: () => call('GET', 'requests/recent'),
      reset: () => call('DELETE', 'requests'),
    },
    faults: {
      add: (fault) => call('POST', 'faults', fault),
      list: () => call('GET', 'faults'),
      clear: (id) => call('DELETE', id === undefined ? 'faults' : `faults/${id}`),
    },
    webhooks: {
      addFault: (fault) => call('POST', 'webhook-faults', fault),
      deliveries: () => call('GET', 'webhooks'),
      pending: () => call('GET', 'webhooks/pending'),
    },
    settings: () => call('GET', 'settings'),
    configure: (changes) => call('PATCH', 'settings', changes),
  };
}

function queryString(query: Record<string, string | number | undefined>): string {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(query))
    if (value !== undefined) pairs.push([name, String(value)]);
  return new URLSearchParams(pairs).toString();
}

function quiet(options: QuietOption | undefined): string {
  return queryString({ quiet: options?.quiet === true ? 'true' : undefined });
}
