import { isOwnId } from './media-id.js';

/** What the public ids of the doctor's test files begin with: `holdfast/doctor/01K…-image`. */
export function doctorPrefix(folder: string): string {
  return `${folder}/doctor/`;
}

/** The run of the doctor that an asset belongs to by its name, else null. Syncs leave such assets alone. */
export function doctorRunOf(folder: string, publicId: string): string | null {
  const prefix = doctorPrefix(folder);
  if (!publicId.startsWith(prefix)) return null;
  const [id = '', what] = publicId.slice(prefix.length).split('-', 2);
  return what !== undefined && isOwnId(id) ? id : null;
}
