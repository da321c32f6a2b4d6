import { request } from './call.js';
import { element } from './elements.js';

const LARGEST_WHOLE_BYTES = 3_000_000;

/**
 * A small picture if there is one, else the format in words. The bytes may need the API key (local host), or come from
 * Cloudinary, which scales them down itself.
 * @param {{ resourceType: string, format: string | null, bytes: number, url: string, status: string }} media
 * @returns {HTMLElement}
 */
export function thumbnail(media) {
  const words = element('span', { class: 'thumbnail', 'aria-hidden': 'true' }, media.format ?? 'file');
  if (media.resourceType !== 'image' || media.status === 'missing' || !URL.canParse(media.url)) return words;
  const url = new URL(media.url);
  const image = element('img', { class: 'thumbnail', alt: '', loading: 'lazy' });
  image.addEventListener('error', () => image.replaceWith(words));
  if (url.pathname.startsWith('/media/')) {
    if (media.bytes > LARGEST_WHOLE_BYTES) return words;
    void showBlob(image, url.pathname).catch(() => image.replaceWith(words));
    return image;
  }
  if (url.protocol !== 'https:') return words;
  image.src = media.url.replace('/image/upload/', '/image/upload/c_fill,h_160,w_160/');
  return image;
}

/** @param {HTMLImageElement} image @param {string} path */
async function showBlob(image, path) {
  const response = await request(path);
  if (!response.ok) throw new Error('no picture');
  image.src = URL.createObjectURL(await response.blob());
  image.addEventListener('load', () => URL.revokeObjectURL(image.src), { once: true });
}
