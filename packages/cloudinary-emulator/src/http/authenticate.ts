import { ApiError } from '../api-error.js';
import type { Parts } from '../parts.js';
import { checkSignature } from '../signature.js';
import { fieldText, hasField, type Fields } from './fields.js';

/** Basic authentication of the Admin API; throws the API's 401. */
export function checkBasicAuth(header: string | undefined, { account }: Pick<Parts, 'account'>): void {
  const [scheme = '', encoded = ''] = (header ?? '').split(' ');
  const [key = '', ...secret] = Buffer.from(encoded, 'base64').toString().split(':');
  if (scheme.toLowerCase() !== 'basic' || key !== account.apiKey) throw new ApiError(401, 'unknown api_key');
  if (secret.join(':') !== account.apiSecret) throw new ApiError(401, 'api_secret mismatch');
}

/**
 * Lets a call of the Upload API in: by its signature, or by an unsigned preset, whose parameters are then
 * added to the call's own. Throws the API's 400 or 401.
 */
export function authenticateForm(fields: Fields, parts: Pick<Parts, 'account' | 'settings' | 'now'>): void {
  const { account, settings } = parts;
  const presetName = fieldText(fields, 'upload_preset');
  const preset = Object.hasOwn(settings.presets, presetName) ? settings.presets[presetName] : undefined;
  if (presetName !== '' && preset === undefined) throw new ApiError(400, 'Upload preset not found');
  if (hasField(fields, 'signature')) {
    checkSignature(fields, {
      apiKey: account.apiKey,
      apiSecret: account.apiSecret,
      signatureAlgorithm: settings.signatureAlgorithm,
      nowMs: parts.now(),
    });
  } else if (preset === undefined) {
    throw new ApiError(400, 'Upload preset must be specified when using unsigned upload');
  } else if (!preset.unsigned) {
    throw new ApiError(400, 'Upload preset must be whitelisted for unsigned uploads');
  } else fields['overwrite'] = 'false';
  for (const [name, value] of Object.entries(preset?.params ?? {})) {
    if (!hasField(fields, name)) fields[name] = value;
  }
}
