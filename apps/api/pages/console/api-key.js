import { byId } from './elements.js';

const STORED_AS = 'holdfast-api-key';

/** @type {Promise<boolean> | undefined} */
let asking;

/** Headers that carry the key, where one was given. It is kept for this tab only. @returns {{ Authorization?: string }} */
export function keyHeaders() {
  const key = sessionStorage.getItem(STORED_AS);
  return key === null ? {} : { Authorization: `Bearer ${key}` };
}

export const hasKey = () => sessionStorage.getItem(STORED_AS) !== null;
export const forgetKey = () => sessionStorage.removeItem(STORED_AS);

/** Asks for a key, once however many calls were refused; false when nobody gives one. */
export function askForKey() {
  return (asking ??= showDialog().finally(() => {
    asking = undefined;
  }));
}

/** @returns {Promise<boolean>} */
function showDialog() {
  const dialog = byId('key-dialog', HTMLDialogElement);
  const form = byId('key-form', HTMLFormElement);
  const input = byId('key', HTMLInputElement);
  byId('key-hint', HTMLElement).textContent = hasKey()
    ? 'This key is not known, or may not do this. Give another one.'
    : 'This API asks for a key. It is kept until this tab is closed.';
  input.value = '';
  dialog.showModal();
  return new Promise((resolve) => {
    const done = new AbortController();
    const end = (/** @type {boolean} */ given) => {
      done.abort();
      dialog.close();
      resolve(given);
    };
    form.addEventListener(
      'submit',
      (event) => {
        event.preventDefault();
        sessionStorage.setItem(STORED_AS, input.value);
        input.value = '';
        end(true);
      },
      { signal: done.signal },
    );
    byId('key-cancel', HTMLButtonElement).addEventListener('click', () => end(false), {
      signal: done.signal,
    });
    dialog.addEventListener('cancel', () => end(false), { signal: done.signal });
  });
}
