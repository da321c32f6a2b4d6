import { ApiError } from '../api-error.js';
import { tokenize, type Token } from './tokenize.js';

/** One end of a range; null is open. */
export interface Bound {
  text: string;
  inclusive: boolean;
}

/** A parsed search expression. */
export type Expression =
  | { kind: 'everything' }
  | { kind: 'and' | 'or'; parts: Expression[] }
  | { kind: 'not'; part: Expression }
  /** `field:text`; `*` in unquoted text is a wildcard. */
  | { kind: 'match'; field: string | null; text: string; quoted: boolean }
  /** `field=text` */
  | { kind: 'equal'; field: string; text: string }
  | { kind: 'range'; field: string; from: Bound | null; to: Bound | null };

/** Parses an expression; '' is everything. Terms side by side are joined by OR, as on the real host. */
export function parseExpression(text: string): Expression {
  const tokens = tokenize(text);
  if (tokens.length === 0) return { kind: 'everything' };
  const reader = { tokens, index: 0 };
  const parsed = parseOr(reader);
  if (reader.index < tokens.length) throw invalid(reader);
  return parsed;
}

interface Reader {
  tokens: Token[];
  index: number;
}

function parseOr(reader: Reader): Expression {
  const parts = [parseAnd(reader)];
  while (reader.index < reader.tokens.length && !isBracket(reader, ')')) {
    takeWord(reader, 'OR');
    parts.push(parseAnd(reader));
  }
  return parts.length === 1 ? (parts[0] as Expression) : { kind: 'or', parts };
}

function parseAnd(reader: Reader): Expression {
  const parts = [parseNot(reader)];
  while (takeWord(reader, 'AND')) parts.push(parseNot(reader));
  return parts.length === 1 ? (parts[0] as Expression) : { kind: 'and', parts };
}

function parseNot(reader: Reader): Expression {
  if (takeWord(reader, 'NOT')) return { kind: 'not', part: parseNot(reader) };
  if (isBracket(reader, '(')) {
    reader.index += 1;
    const inner = parseOr(reader);
    if (!isBracket(reader, ')')) throw invalid(reader);
    reader.index += 1;
    return inner;
  }
  return parseTerm(reader);
}

function parseTerm(reader: Reader): Expression {
  const name = next(reader);
  if (name.kind !== 'word') throw invalid(reader);
  const operator = reader.tokens[reader.index];
  if (operator?.kind !== 'operator')
    return { kind: 'match', field: null, text: name.text, quoted: name.quoted };
  reader.index += 1;
  if (isBracket(reader, '[') || isBracket(reader, '{')) return parseRange(reader, name.text);
  const value = next(reader);
  if (value.kind !== 'word') throw invalid(reader);
  const field = name.text;
  const bound = (inclusive: boolean): Bound => ({ text: value.text, inclusive });
  const terms: Record<typeof operator.text, Expression> = {
    ':': { kind: 'match', field, text: value.text, quoted: value.quoted },
    '=': { kind: 'equal', field, text: value.text },
    '>': { kind: 'range', field, from: bound(false), to: null },
    '>=': { kind: 'range', field, from: bound(true), to: null },
    '<': { kind: 'range', field, from: null, to: bound(false) },
    '<=': { kind: 'range', field, from: null, to: bound(true) },
  };
  return terms[operator.text];
}

function parseRange(reader: Reader, field: string): Expression {
  const fromInclusive = next(reader).text === '[';
  const from = next(reader);
  if (from.kind !== 'word' || !takeWord(reader, 'TO')) throw invalid(reader);
  const to = next(reader);
  const close = next(reader);
  if (to.kind !== 'word' || (close.text !== ']' && close.text !== '}')) throw invalid(reader);
  return {
    kind: 'range',
    field,
    from: from.text === '*' ? null : { text: from.text, inclusive: fromInclusive },
    to: to.text === '*' ? null : { text: to.text, inclusive: close.text === ']' },
  };
}

function takeWord(reader: Reader, text: string): boolean {
  const token = reader.tokens[reader.index];
  if (token?.kind !== 'word' || token.quoted || token.text !== text) return false;
  reader.index += 1;
  return true;
}

function isBracket(reader: Reader, text: string): boolean {
  const token = reader.tokens[reader.index];
  return token?.kind === 'bracket' && token.text === text;
}

function next(reader: Reader): Token {
  const token = reader.tokens[reader.index];
  if (token === undefined) throw invalid(reader);
  reader.index += 1;
  return token;
}

function invalid(reader: Reader): ApiError {
  const near = reader.tokens[Math.min(reader.index, reader.tokens.length - 1)]?.text ?? '';
  return new ApiError(400, `Invalid expression near '${near}'`);
}
