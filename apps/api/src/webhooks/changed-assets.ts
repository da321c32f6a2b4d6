import { z } from 'zod';
import type { RefreshPayload } from '@holdfast/shared/jobs';
import { resourceTypes } from '@holdfast/shared/media';

/** What a notification is about, as far as it concerns media. */
export type ChangedAssets = Pick<RefreshPayload, 'change' | 'assets'>;

const asset = z.object({
  public_id: z.string().min(1),
  resource_type: z.enum(resourceTypes),
  // Other types of delivery than this one are not synced.
  type: z.literal('upload').default('upload'),
  asset_id: z.string().nullish(),
  version: z.coerce.number().nullish().catch(null),
});

type Body = Readonly<Record<string, unknown>>;

/** Events that may concern a record; all others are none of our business. */
const events: Readonly<
  Record<string, { change: ChangedAssets['change']; named: (body: Body) => readonly unknown[] }>
> = {
  upload: { change: 'uploaded', named: (body) => [body] },
  delete: { change: 'deleted', named: resourcesOf },
  // The asset keeps its asset id, so its new name leads to its record.
  rename: { change: 'changed', named: (body) => [{ ...body, public_id: body['to_public_id'] }] },
  resource_tags_changed: { change: 'changed', named: resourcesOf },
  resource_context_changed: { change: 'changed', named: resourcesOf },
};

/** Null for events that do not concern records. Entries that cannot be read are left out: a sync finds what they meant. */
export function changedAssets(body: Body): ChangedAssets | null {
  const name = body['notification_type'];
  const event = typeof name === 'string' && Object.hasOwn(events, name) ? events[name] : undefined;
  if (event === undefined) return null;
  const assets = event.named(body).flatMap((entry) => {
    const { data } = asset.safeParse(entry);
    if (data === undefined) return [];
    return {
      publicId: data.public_id,
      resourceType: data.resource_type,
      assetId: data.asset_id ?? null,
      version: data.version ?? null,
    };
  });
  return { change: event.change, assets };
}

/** A list, or an object keyed by public id: the host uses both. */
function resourcesOf({ resources }: Body): readonly unknown[] {
  if (Array.isArray(resources)) return resources;
  if (typeof resources !== 'object' || resources === null) return [];
  return Object.entries(resources).map(([publicId, entry]) =>
    typeof entry === 'object' && entry !== null ? { public_id: publicId, ...(entry as object) } : null,
  );
}
