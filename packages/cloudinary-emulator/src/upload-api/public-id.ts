import { randomBytes } from 'node:crypto';
import { ApiError } from '../api-error.js';
import { fieldFlag, fieldText, type Fields } from '../http/fields.js';

const FORBIDDEN = /[?&#\\%<>+]/;
const MAX_CHARS = 255;

/** The public id an upload asks for, or a random one. Raw ids that the host makes up carry the extension. */
export function publicIdFor(fields: Fields, filename: string, isRaw: boolean): string {
  const asked = fieldText(fields, 'public_id');
  const base = asked === '' ? generatedId(fields, filename, isRaw) : asked;
  const folder = fieldText(fields, 'folder') || fieldText(fields, 'public_id_prefix');
  const publicId = folder === '' ? base : `${folder}/${base}`;
  if (FORBIDDEN.test(publicId) || publicId !== publicId.trim() || /^\/|\/$/.test(publicId)) {
    throw new ApiError(400, `public_id (${publicId}) is invalid`);
  }
  if (publicId.length > MAX_CHARS) {
    throw new ApiError(400, `public_id (${publicId}) is too long (maximum is ${MAX_CHARS} characters)`);
  }
  return publicId;
}

/** A file's name without its extension, as `original_filename` has it. */
export function baseName(filename: string): string {
  const dot = filename.lastIndexOf('.');
  return dot > 0 ? filename.slice(0, dot) : filename;
}

function generatedId(fields: Fields, filename: string, isRaw: boolean): string {
  const extension = isRaw && filename.lastIndexOf('.') > 0 ? filename.slice(filename.lastIndexOf('.')) : '';
  if (!fieldFlag(fields, 'use_filename', false)) return `${randomId(20)}${extension}`;
  const name = baseName(filename).replaceAll(/[?&#\\%<>+\s]/g, '_');
  return fieldFlag(fields, 'unique_filename', true)
    ? `${name}_${randomId(6)}${extension}`
    : `${name}${extension}`;
}

function randomId(chars: number): string {
  return randomBytes(chars).toString('hex').slice(0, chars);
}
