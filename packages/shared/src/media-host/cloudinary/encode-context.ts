import { HoldfastError } from '../../errors/index.js';

/**
 * Context in the form that the host reads: `k=v|k2=v2`. A backslash there escapes only `=` and `|` (docs/decisions/0022), so any
 * other one is sent as it is. At the end of a value it would escape the separator, so such a pair goes last. The SDK passes a
 * text on unchanged, and would order pairs as they come. Throws HOST_CONTEXT_UNWRITABLE for what no text stands for.
 */
export function encodeContext(context: Readonly<Record<string, string>>): string {
  const pairs: string[] = [];
  let last: string | undefined;
  for (const [key, value] of Object.entries(context)) {
    // No client library escapes keys, so nobody knows whether the host would undo that.
    if (/[=|\\]/.test(key)) unwritable(key);
    const pair = `${key}=${value.replaceAll(/[=|]/g, String.raw`\$&`)}`;
    if (!value.endsWith('\\')) pairs.push(pair);
    else if (last === undefined) last = pair;
    else unwritable(key);
  }
  return (last === undefined ? pairs : [...pairs, last]).join('|');
}

function unwritable(key: string): never {
  throw new HoldfastError(
    'HOST_CONTEXT_UNWRITABLE',
    `the context key ${JSON.stringify(key)} on the asset cannot be written back as it is`,
  );
}
