import type { CarriedFields } from '@holdfast/shared/media';

/** Of a media of which nothing has been said, and whose bytes have not come. */
export function firstFields(
  of: Pick<CarriedFields, 'id' | 'filename' | 'uploadedBy' | 'source'>,
  createdAt: Date,
): CarriedFields {
  const at = createdAt.toISOString();
  return {
    ...of,
    revision: 1,
    title: '',
    description: '',
    category: '',
    tags: [],
    createdAt: at,
    updatedAt: at,
    sha256: null,
    md5: null,
  };
}
