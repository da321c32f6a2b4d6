import { publicIdFor } from '@holdfast/shared/media';

/** What a file is or is expected to be, as far as its place on the host depends on it. `extension` is without a dot. */
export interface PlacedKind<Type extends string> {
  resourceType: Type;
  extension: string;
}

/** Where a new asset will be. Raw files carry their extension in the public id, as Cloudinary wants it. */
export function refFor<Type extends string>(
  folder: string,
  id: string,
  { resourceType, extension }: PlacedKind<Type>,
): { publicId: string; resourceType: Type } {
  return { publicId: publicIdFor(folder, id, resourceType === 'raw' ? extension : ''), resourceType };
}
