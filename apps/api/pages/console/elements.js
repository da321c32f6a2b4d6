/**
 * A new element. Texts become text nodes: nothing that came from elsewhere is ever read as markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/**
 * The element with this id, which the page has.
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} ${id}`);
  return found;
}

/** @param {string} id @param {string} text @param {string} [look] */
export function say(id, text, look = '') {
  const place = byId(id, HTMLElement);
  place.textContent = text;
  place.classList.remove('good', 'fair', 'bad');
  if (look !== '') place.classList.add(look);
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const step = bytes < 1_000 ? 0 : Math.min(Math.floor(Math.log10(bytes) / 3), units.length - 1);
  return `${(bytes / 1_000 ** step).toLocaleString('en', { maximumFractionDigits: 1 })} ${units[step] ?? ''}`;
}

/** @param {string} iso */
export const timeOf = (iso) => element('time', { datetime: iso }, new Date(iso).toLocaleString());
