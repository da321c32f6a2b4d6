import { call } from './call.js';
import { byId, element, say, sizeOf, timeOf } from './elements.js';
import { thumbnail } from './thumbnail.js';

const PAGE = 12;
/** @type {Readonly<Record<string, string>>} */
const looks = {
  verified: 'good',
  saving: 'fair',
  deferred: 'fair',
  failed: 'bad',
  missing: 'bad',
  deleting: 'fair',
};

/** The most that the API returns at once. */
const LARGEST_PAGE = 100;

const REBUILDING =
  'The catalog is being refilled from the media host. Missing files will appear by themselves.';

let wanted = PAGE;

/** Shows the newest files, as many as were requested. Resolves with whether the catalog is being refilled. */
export async function showMedia() {
  const { items, hasMore, rebuilding } = await newest(wanted);
  const list = byId('media', HTMLOListElement);
  // An emptied catalog must not look like lost files.
  say('media-state', rebuilding ? REBUILDING : '', 'fair');
  if (items.length === 0) list.replaceChildren(...(rebuilding ? [] : [element('li', {}, 'No files yet.')]));
  else keepSame(list, items);
  byId('more', HTMLButtonElement).hidden = !hasMore;
  return rebuilding;
}

/** One more page. */
export function showMore() {
  wanted += PAGE;
  return showMedia();
}

/** @param {number} count @returns {Promise<{ items: any[], hasMore: boolean, rebuilding: boolean }>} */
async function newest(count) {
  const items = [];
  let after = '';
  for (;;) {
    const limit = Math.min(count - items.length, LARGEST_PAGE);
    const page = await call(`/api/media?limit=${String(limit)}${after}`);
    items.push(...page.items);
    if (page.nextCursor === null || items.length >= count)
      return { items, hasMore: page.nextCursor !== null, rebuilding: page.rebuilding === true };
    after = `&cursor=${encodeURIComponent(page.nextCursor)}`;
  }
}

/**
 * Unchanged rows stay, with their pictures and the keyboard focus.
 * @param {HTMLElement} list
 * @param {any[]} items
 */
function keepSame(list, items) {
  const shown = [...list.children];
  const known = new Map(shown.map((row) => [row.getAttribute('data-state'), row]));
  const rows = items.map((media) => known.get(stateOf(media)) ?? rowOf(media));
  if (rows.length !== shown.length || rows.some((row, index) => row !== shown[index]))
    list.replaceChildren(...rows);
}

/** @param {any} media */
const stateOf = (media) => JSON.stringify(media);

/** @param {any} media */
function rowOf(media) {
  const { title, filename, category, tags, bytes, createdAt, status, lastError, persistence, url } = media;
  const words = [category, ...tags].filter((word) => word !== '').join(', ');
  const link = isWebAddress(url)
    ? element('a', { href: url, rel: 'noreferrer', target: '_blank' }, 'file')
    : 'no file';
  const level = persistence.level === null ? '' : ` (${persistence.level})`;
  return element(
    'li',
    { 'data-id': media.id, 'data-state': stateOf(media) },
    thumbnail(media),
    element(
      'div',
      { class: 'media-text' },
      element('p', { class: 'media-title' }, title || filename || media.id),
      element('p', { class: looks[status] ?? '' }, `${status}${level}`),
      element('p', { class: 'small' }, timeOf(createdAt), `, ${sizeOf(bytes)}, `, link),
      ...(words === '' ? [] : [element('p', { class: 'small' }, words)]),
      ...(lastError === null
        ? []
        : [element('p', { class: 'small bad' }, `${lastError.code}: ${lastError.message}`)]),
    ),
  );
}

/** Addresses come from records: only web addresses may become links. @param {string} url */
function isWebAddress(url) {
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}
