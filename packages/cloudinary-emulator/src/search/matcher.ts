import type { Asset } from '../assets/asset.js';
import type { Bound, Expression } from './parse-expression.js';
import { searchField, type SearchField } from './search-fields.js';
import { numberValue, timeValue } from './search-value.js';

/** What the meaning of an expression depends on. */
export interface SearchContext {
  settings: { searchKnowsLastUpdated: boolean };
  nowSeconds: number;
}

type Matcher = (asset: Asset) => boolean;

const never: Matcher = () => false;

/** Compiles an expression to a test of one asset. Unknown fields match nothing. */
export function matcher(expression: Expression, context: SearchContext): Matcher {
  switch (expression.kind) {
    case 'everything':
      return () => true;
    case 'and': {
      const parts = expression.parts.map((part) => matcher(part, context));
      return (asset) => parts.every((part) => part(asset));
    }
    case 'or': {
      const parts = expression.parts.map((part) => matcher(part, context));
      return (asset) => parts.some((part) => part(asset));
    }
    case 'not': {
      const part = matcher(expression.part, context);
      return (asset) => !part(asset);
    }
    case 'match':
      return matchMatcher(expression, context);
    case 'equal': {
      const field = searchField(expression.field, context.settings);
      return field === null ? never : equalMatcher(field, expression.text, context);
    }
    case 'range': {
      const field = searchField(expression.field, context.settings);
      return field === null ? never : rangeMatcher(field, expression, context);
    }
  }
}

/** The value of a bound for this field; null where the field has no order that bounds could use. */
export function boundValue(field: SearchField, bound: Bound | null, context: SearchContext): number | null {
  if (bound === null || field.kind === 'text' || field.kind === 'list') return null;
  return field.kind === 'time' ? timeValue(bound.text, context.nowSeconds) : numberValue(bound.text);
}

function matchMatcher(
  { field: name, text, quoted }: Extract<Expression, { kind: 'match' }>,
  context: SearchContext,
): Matcher {
  const test = textTest(text, quoted);
  if (name === null) {
    return (asset) => test(asset.publicId) || test(asset.displayName) || asset.tags.some(test);
  }
  const field = searchField(name, context.settings);
  if (field === null) return never;
  if (field.kind === 'list') return (asset) => field.value(asset).some(test);
  if (field.kind === 'text') return (asset) => test(field.value(asset) ?? '');
  return equalMatcher(field, text, context);
}

/** Token match: the whole text, one of its words, or a pattern with `*`. */
function textTest(text: string, quoted: boolean): (value: string) => boolean {
  const wanted = text.toLowerCase();
  if (!quoted && wanted.includes('*')) {
    const pattern = wanted.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
    const test = new RegExp(`^${pattern.join('.*')}$`, 's');
    return (value) => test.test(value.toLowerCase());
  }
  return (value) => {
    const given = value.toLowerCase();
    return given === wanted || given.split(/[^\p{L}\p{N}]+/u).includes(wanted);
  };
}

function equalMatcher(field: SearchField, text: string, context: SearchContext): Matcher {
  if (field.kind === 'list') return (asset) => field.value(asset).includes(text);
  if (field.kind === 'text') return (asset) => field.value(asset) === text;
  const wanted = boundValue(field, { text, inclusive: true }, context);
  return (asset) => field.value(asset) === wanted;
}

function rangeMatcher(
  field: SearchField,
  { from, to }: Extract<Expression, { kind: 'range' }>,
  context: SearchContext,
): Matcher {
  if (field.kind === 'list') return never;
  if (field.kind === 'text') {
    return (asset) => {
      const value = field.value(asset);
      return value !== null && above(value, from, from?.text ?? '') && below(value, to, to?.text ?? '');
    };
  }
  const low = boundValue(field, from, context) ?? 0;
  const high = boundValue(field, to, context) ?? 0;
  return (asset) => {
    const value = field.value(asset);
    return value !== null && above(value, from, low) && below(value, to, high);
  };
}

function above<T extends string | number>(value: T, bound: Bound | null, limit: T): boolean {
  return bound === null || value > limit || (bound.inclusive && value === limit);
}

function below<T extends string | number>(value: T, bound: Bound | null, limit: T): boolean {
  return bound === null || value < limit || (bound.inclusive && value === limit);
}
