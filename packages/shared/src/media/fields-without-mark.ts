import { shownText } from './console-fields.js';
import type { Side } from './host-edits.js';
import { isOwnId } from './media-id.js';
import type { MediaRecord } from './media-record.js';
import { recordFromAsset, type AssetFacts } from './record-from-asset.js';

/** What an asset without our mark says. Where it had one, what is not there went with the mark, and is no edit. */
export function fieldsWithoutMark(asset: AssetFacts, ours: MediaRecord): Side {
  const { id, updatedAt } = ours;
  const there = recordFromAsset(asset, '', 'sync', null);
  if (!isOwnId(ours.id) && ours.pushedRevision === 1) {
    const { title, description, category, tags } = there;
    return { id, updatedAt, revision: 0, title, description, category, tags };
  }
  const { context, tags } = asset;
  return {
    id,
    updatedAt,
    revision: 0,
    title: textThere(context['title'], context['caption'], ours.title),
    description: textThere(context['description'], context['alt'], ours.description),
    category: context['category'] || ours.category,
    tags: tags.length > 0 ? [...tags] : ours.tags,
  };
}

/** The one of a field's two keys that says something else than we wrote there. */
function textThere(plain: string | undefined, shown: string | undefined, ours: string): string {
  if (plain !== undefined && plain !== '' && plain !== ours) return plain;
  return shown === undefined || shown === '' || shown === shownText(ours) ? ours : shown;
}
