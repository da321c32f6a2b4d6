/** Values that a template may name; `{n:8}` pads to 8 digits. */
export type TemplateValues = Record<string, (n: number) => string>;

/**
 * Compiles a text with `{name}` or `{name:width}` in it. Unknown names stay as they are, so that texts with
 * braces of their own pass through.
 */
export function textTemplate(text: string, values: TemplateValues): (n: number) => string {
  const parts = text.split(/(\{\w+(?::\d+)?\})/).map((part, index) => {
    const [, name = '', width = '0'] = index % 2 === 0 ? [] : (/^\{(\w+)(?::(\d+))?\}$/.exec(part) ?? []);
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? () => part : (n: number) => value(n).padStart(Number(width), '0');
  });
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : (n) => parts.map((part) => part(n)).join('');
}
