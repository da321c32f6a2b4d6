import type { ResourceType } from '../assets/asset.js';
import type { AssetInput } from '../edits/place-asset.js';
import type { AssetEdit } from '../edits/edit-asset.js';
import type { Fault } from '../faults/fault.js';
import type { SeedTemplate } from '../assets/seed-template.js';
import type { Settings } from '../settings.js';
import type { WebhookFault } from '../webhooks/webhook-fault.js';
import type { AssetQuery, EmulatorControl, QuietOption } from './emulator-control.js';

/** What a control route gets of its request. */
export interface ControlCall {
  path: Record<string, string>;
  query: Record<string, string>;
  /** Parsed JSON body; `{}` without one. */
  body: unknown;
}

/** One operation of the control interface over HTTP; answers JSON, or bytes for a Buffer. */
export interface ControlRoute {
  method: string;
  /** Below `/__emulator`; `:name` takes one segment. */
  path: string;
  run(control: EmulatorControl, call: ControlCall): Promise<unknown>;
}

/** An asset input as JSON has it. */
export type AssetInputJson = Omit<AssetInput, 'content'> & { contentBase64?: string };

/** The control interface, row by row. Everybody who reaches the port may use it: the emulator keeps no secrets. */
export const controlRoutes: readonly ControlRoute[] = [
  {
    method: 'GET',
    path: '',
    run: async ({ url, cloudinaryUrl, assets, requests }) => ({
      url,
      cloudinaryUrl,
      assets: await assets.count(),
      requests: await requests.counters(),
    }),
  },
  {
    method: 'GET',
    path: 'assets',
    run: ({ assets }, { query }) => assets.list(assetQuery(query)),
  },
  {
    method: 'GET',
    path: 'assets/find',
    run: ({ assets }, { query }) =>
      assets.get(query['resourceType'] as ResourceType, query['publicId'] ?? '', query['type'] ?? 'upload'),
  },
  { method: 'GET', path: 'assets/:id', run: ({ assets }, { path }) => assets.byAssetId(path['id'] ?? '') },
  { method: 'GET', path: 'assets/:id/bytes', run: ({ assets }, { path }) => assets.bytes(path['id'] ?? '') },
  {
    method: 'POST',
    path: 'assets',
    run({ assets }, { body, query }) {
      const { contentBase64, ...input } = body as AssetInputJson;
      const content = contentBase64 === undefined ? {} : { content: Buffer.from(contentBase64, 'base64') };
      return assets.put({ ...input, ...content }, quiet(query));
    },
  },
  {
    method: 'PATCH',
    path: 'assets/:id',
    run: ({ assets }, { path, body, query }) =>
      assets.edit(path['id'] ?? '', body as AssetEdit, quiet(query)),
  },
  {
    method: 'POST',
    path: 'assets/:id/rename',
    run: ({ assets }, { path, body, query }) =>
      assets.rename(path['id'] ?? '', (body as { publicId: string }).publicId, quiet(query)),
  },
  {
    method: 'POST',
    path: 'assets/:id/corrupt',
    run: ({ assets }, { path, body }) => assets.corrupt(path['id'] ?? '', body as { keepEtag?: boolean }),
  },
  {
    method: 'DELETE',
    path: 'assets/:id',
    run: ({ assets }, { path, query }) => assets.remove(path['id'] ?? '', quiet(query)),
  },
  {
    method: 'POST',
    path: 'seed',
    run({ assets }, { body }) {
      const { count, template } = body as { count: number; template?: SeedTemplate };
      return assets.seed(count, template);
    },
  },
  { method: 'GET', path: 'requests', run: ({ requests }) => requests.counters() },
  { method: 'GET', path: 'requests/recent', run: ({ requests }) => requests.recent() },
  { method: 'DELETE', path: 'requests', run: ({ requests }) => requests.reset() },
  { method: 'GET', path: 'faults', run: ({ faults }) => faults.list() },
  { method: 'POST', path: 'faults', run: ({ faults }, { body }) => faults.add(body as Fault) },
  { method: 'DELETE', path: 'faults', run: ({ faults }) => faults.clear() },
  { method: 'DELETE', path: 'faults/:id', run: ({ faults }, { path }) => faults.clear(path['id']) },
  {
    method: 'POST',
    path: 'webhook-faults',
    run: ({ webhooks }, { body }) => webhooks.addFault(body as WebhookFault),
  },
  { method: 'GET', path: 'webhooks', run: ({ webhooks }) => webhooks.deliveries() },
  { method: 'GET', path: 'webhooks/pending', run: ({ webhooks }) => webhooks.pending() },
  { method: 'GET', path: 'settings', run: (control) => control.settings() },
  {
    method: 'PATCH',
    path: 'settings',
    run: (control, { body }) => control.configure(body as Partial<Settings>),
  },
];

function assetQuery(query: Record<string, string>): AssetQuery {
  const { resourceType, prefix, tag, limit, offset } = query as Record<string, string | undefined>;
  return {
    ...(resourceType === undefined ? {} : { resourceType: resourceType as ResourceType }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(tag === undefined ? {} : { tag }),
    ...(limit === undefined ? {} : { limit: Number(limit) }),
    ...(offset === undefined ? {} : { offset: Number(offset) }),
  };
}

function quiet(query: Record<string, string>): QuietOption {
  return { quiet: query['quiet'] === 'true' };
}
