import { HoldfastError, isHoldfastError } from '../errors/index.js';
import type { Environment } from './environment.js';
import type { HostSettings } from './host-settings.js';
import { readSettings } from './settings.js';

/**
 * The host that the command `move` copies from: the local one as if no Cloudinary were configured, or the account that
 * MOVE_FROM_CLOUDINARY_URL names. Throws CONFIG_INVALID.
 */
export function readMoveSource(env: Environment, from: 'local' | 'cloudinary'): HostSettings {
  const { MOVE_FROM_CLOUDINARY_URL: source, ...rest } = env;
  const others = Object.fromEntries(Object.entries(rest).filter(([name]) => !namesAccount.has(name)));
  if (from === 'local') return readSettings(others).host;
  if (source === undefined || source === '') throw problem('is needed: the account to copy from');
  try {
    return readSettings({ ...others, CLOUDINARY_URL: source }).host;
  } catch (error) {
    const errors = isHoldfastError(error, 'CONFIG_INVALID') ? (error.errors ?? []) : [];
    const own = errors.find(({ path }) => path === 'CLOUDINARY_URL');
    throw own === undefined ? error : problem(own.message);
  }
}

const namesAccount: ReadonlySet<string> = new Set([
  'CLOUDINARY_URL',
  'CLOUDINARY_CLOUD_NAME',
  'CLOUDINARY_API_KEY',
  'CLOUDINARY_API_SECRET',
]);

function problem(message: string): HoldfastError {
  return new HoldfastError('CONFIG_INVALID', '1 problem(s) in the configuration', {
    errors: [{ path: 'MOVE_FROM_CLOUDINARY_URL', message }],
  });
}
