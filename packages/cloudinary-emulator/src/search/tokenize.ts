import { ApiError } from '../api-error.js';

/** A piece of a search expression. `quoted` words are never operators and hold no wildcard. */
export type Token =
  | { kind: 'word'; text: string; quoted: boolean }
  | { kind: 'operator'; text: ':' | '=' | '>' | '>=' | '<' | '<=' }
  | { kind: 'bracket'; text: '(' | ')' | '[' | ']' | '{' | '}' };

const TOKEN =
  /\s*(?:(?<bracket>[()[\]{}])|(?<operator>>=|<=|[:=><])|"(?<double>(?:[^"\\]|\\.)*)"|'(?<single>(?:[^'\\]|\\.)*)'|(?<word>(?:[^\s()[\]{}:=><"'\\]|\\.)+))/y;

/** Cuts an expression into tokens; throws 400 for an invalid one, such as an open quote. */
export function tokenize(expression: string): Token[] {
  const tokens: Token[] = [];
  const text = expression.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const { groups = {} } = TOKEN.exec(text) ?? {};
    const { bracket, operator, word } = groups;
    const quoted = groups['double'] ?? groups['single'];
    if (bracket !== undefined) tokens.push({ kind: 'bracket', text: bracket } as Token);
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator } as Token);
    else if (quoted !== undefined) tokens.push({ kind: 'word', text: unescape(quoted), quoted: true });
    else if (word !== undefined) tokens.push({ kind: 'word', text: unescape(word), quoted: false });
    else throw new ApiError(400, `Invalid expression near '${text.slice(start, start + 20)}'`);
  }
  return tokens;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1');
}
