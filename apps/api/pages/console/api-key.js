import { byId } from './elements.js';

const STORED_AS = 'holdfast-api-key';
/** There once nobody wanted to give a key: then the page shows what is open without one. */
const DECLINED = 'holdfast-no-api-key';

/** @type {Promise<boolean> | undefined} */
let asking;

/** Headers that carry the key, where one was given. It is kept for this tab only. @returns {{ Authorization?: string }} */
export function keyHeaders() {
  const key = sessionStorage.getItem(STORED_AS);
  return key === null ? {} : { Authorization: `Bearer ${utf8(key)}` };
}

/** Headers take only bytes: each becomes a letter of its own. @param {string} text */
const utf8 = (text) => String.fromCharCode(...new TextEncoder().encode(text));

export const hasKey = () => sessionStorage.getItem(STORED_AS) !== null;
export const forgetKey = () => sessionStorage.removeItem(STORED_AS);

/** Somebody does what may need a key: who did not want to give one may do so now. */
export const mayAskAgain = () => sessionStorage.removeItem(DECLINED);

/** Asks for a key, once however many calls were refused; false when nobody gives one, or did not want to before. */
export async function askForKey() {
  if (sessionStorage.getItem(DECLINED) !== null) return false;
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
    const decline = () => {
      sessionStorage.setItem(DECLINED, 'yes');
      end(false);
    };
    byId('key-cancel', HTMLButtonElement).addEventListener('click', decline, { signal: done.signal });
    dialog.addEventListener('cancel', decline, { signal: done.signal });
  });
}
