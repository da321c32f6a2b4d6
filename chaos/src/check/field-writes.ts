import type { Fields } from '../history.js';
import type { OfKind } from './by-id.js';
import type { Write } from './register.js';

/** Who wrote a field of a media item: its upload, and the edits that may have happened. */
export function fieldWrites(
  field: keyof Fields,
  upload: OfKind<'upload'>,
  edits: readonly OfKind<'edit'>[],
  wipedAt: readonly number[],
): Write[] {
  // Whatever anybody does with an id comes after its upload.
  const first: Write = { value: upload.fields[field], invokedAt: -Infinity, returnedAt: upload.invokedAt };
  const later = edits.flatMap((edit): Write[] => {
    if (edit.field !== field || edit.outcome === 'fail') return [];
    // Not yet on the host when it was acknowledged, so a wipe may have taken it.
    const mayBeLost = edit.soft && wipedAt.some((at) => at > edit.invokedAt);
    return [
      { value: edit.value, invokedAt: edit.invokedAt, returnedAt: mayBeLost ? Infinity : edit.returnedAt },
    ];
  });
  return [first, ...later];
}
