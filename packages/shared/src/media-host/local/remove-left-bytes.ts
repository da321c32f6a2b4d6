import { bytesPath, identitySchema, metadataPath, placeOfRef, readIdentity } from './asset-files.js';
import { removeFile } from './durable-files.js';

/**
 * Finishes what a dead process left half-done, from the identity in its staging: an upload whose identity was not
 * linked, or a removal whose bytes were not deleted. Bytes that a committed identity names are never touched.
 */
export async function removeLeftBytes(root: string, identityText: string): Promise<void> {
  const known = parse(identityText);
  if (known === null) return;
  const place = placeOfRef(root, known);
  const committed = await readIdentity(place);
  if (committed?.token === known.token) return;
  await removeFile(bytesPath(place, known.token));
  await removeFile(metadataPath(place, known.token));
}

/** Null for a text that was cut off: then its bytes had no name yet. */
function parse(text: string) {
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
