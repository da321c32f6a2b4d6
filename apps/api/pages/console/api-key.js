import { byId } from './elements.js';

const STORED_AS = 'holdfast-api-key';
/** Set once the dialog was cancelled: the page then shows what is open without a key. */
const DECLINED = 'holdfast-no-api-key';

/** @type {Promise<boolean> | undefined} */
let asking;

/** Headers that carry the key, if there is one. It is kept for this tab only. @returns {{ Authorization?: string }} */
export function keyHeaders() {
  const key = sessionStorage.getItem(STORED_AS);
  return key === null ? {} : { Authorization: `Bearer ${utf8(key)}` };
}

/** Headers take only bytes: each becomes a letter of its own. @param {string} text */
const utf8 = (text) => String.fromCharCode(...new TextEncoder().encode(text));

export const hasKey = () => sessionStorage.getItem(STORED_AS) !== null;
export const forgetKey = () => sessionStorage.removeItem(STORED_AS);

/** After an action that may need a key, the dialog may be shown again. */
export const mayAskAgain = () => sessionStorage.removeItem(DECLINED);

/** Asks for a key, once however many calls were refused; false if the dialog is cancelled, or was before. */
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
    ? 'This key is unknown or lacks the required role. Enter another key.'
    : 'This API requires a key. It is kept until this tab is closed.';
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
