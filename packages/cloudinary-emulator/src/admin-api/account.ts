import { isoSeconds } from '../assets/asset-fields.js';
import { fieldFlag } from '../http/fields.js';
import type { Call, Reply } from '../http/route.js';
import { nowSeconds, type Parts } from '../parts.js';

/** GET /ping */
export function ping(): Reply {
  return { status: 'ok' };
}

/** GET /config: with `settings=true` the folder mode too. */
export function showConfig(call: Call, { account, settings }: Pick<Parts, 'account' | 'settings'>): Reply {
  return {
    cloud_name: account.cloudName,
    created_at: '2020-01-01T00:00:00Z',
    ...(fieldFlag(call.fields, 'settings', false) ? { settings: { folder_mode: settings.folderMode } } : {}),
  };
}

/** GET /usage: counts and the plan's limits. */
export function showUsage(
  _call: Call,
  parts: Pick<Parts, 'assets' | 'settings' | 'requests' | 'now'>,
): Reply {
  const { assets, settings } = parts;
  return {
    plan: 'Emulated',
    last_updated: isoSeconds(nowSeconds(parts)).slice(0, 10),
    date_requested: isoSeconds(nowSeconds(parts)),
    objects: { usage: assets.size },
    storage: { usage: assets.totalBytes },
    bandwidth: { usage: 0 },
    transformations: { usage: 0 },
    requests: parts.requests.counters().total,
    resources: assets.size,
    derived_resources: 0,
    media_limits: {
      image_max_size_bytes: settings.maxBytes.image,
      video_max_size_bytes: settings.maxBytes.video,
      raw_max_size_bytes: settings.maxBytes.raw,
      image_max_px: 25_000_000,
      asset_max_total_px: 50_000_000,
    },
  };
}
