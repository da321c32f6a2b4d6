import type { Carried } from './host-metadata.js';
import { isOwnId } from './media-id.js';

/**
 * Whether an asset, whose record here is `id`, is a media of another deployment on the same cloud: its mark and its public
 * id say so. What stands in that mark is what the other one rebuilds its record from.
 */
export function isOfAnotherDeployment(
  { publicId }: { publicId: string },
  carried: Pick<Carried, 'fields'> | null,
  id: string,
): carried is Pick<Carried, 'fields'> {
  if (carried === null || carried.fields.id === id || !isOwnId(carried.fields.id)) return false;
  const [name = ''] = publicId.slice(publicId.lastIndexOf('/') + 1).split('.', 1);
  return name === carried.fields.id;
}
