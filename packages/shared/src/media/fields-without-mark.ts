import { consoleKeys, isAsWritten, shownText, type ConsoleField, type Pairs } from './console-fields.js';
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
    title: textThere('title', context, ours.title),
    description: textThere('description', context, ours.description),
    category: context['category'] || ours.category,
    tags: tags.length > 0 ? [...tags] : ours.tags,
  };
}

/**
 * What the field's two keys say. Where they differ the asset alone tells which of them counts, and never our record: that may have
 * taken the one in, and would then take in the other, again and again. The console's counts, unless it stands there as we wrote it.
 */
function textThere(name: ConsoleField, context: Pairs, ours: string): string {
  const own = context[name] ?? '';
  const shown = context[consoleKeys[name]] ?? '';
  const isEdited = shown !== '' && !isAsWritten(name, context);
  if (own === '') return isEdited && shown !== shownText(ours) ? shown : ours;
  return isEdited && shown !== shownText(own) ? shown : own;
}
