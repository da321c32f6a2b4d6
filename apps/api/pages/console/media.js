import { call } from './call.js';
import { byId, element, sizeOf, timeOf } from './elements.js';
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

/** @type {string | null} */
let next = null;

/** The newest, with what has changed of them. */
export const showMedia = () => showPage(false);
/** Also the page after what is shown. */
export const showMore = () => showPage(true);

/** @param {boolean} more */
async function showPage(more) {
  const after = more && next !== null ? `&cursor=${encodeURIComponent(next)}` : '';
  const { items, nextCursor } = await call(`/api/media?limit=${PAGE}${after}`);
  next = nextCursor;
  const list = byId('media', HTMLOListElement);
  const rows = items.map(rowOf);
  if (more) list.append(...rows);
  else if (rows.length === 0) list.replaceChildren(element('li', {}, 'Nothing here yet.'));
  else keepSame(list, rows);
  byId('more', HTMLButtonElement).hidden = nextCursor === null;
}

/** Rows that have not changed stay, with their pictures. @param {HTMLElement} list @param {HTMLElement[]} rows */
function keepSame(list, rows) {
  const known = new Map([...list.children].map((row) => [row.getAttribute('data-state'), row]));
  list.replaceChildren(...rows.map((row) => known.get(row.getAttribute('data-state')) ?? row));
}

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
    { 'data-id': media.id, 'data-state': JSON.stringify(media) },
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

/** Addresses come from records: nothing else may become a link. @param {string} url */
function isWebAddress(url) {
  return URL.canParse(url) && ['http:', 'https:'].includes(new URL(url).protocol);
}
