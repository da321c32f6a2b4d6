const UNIT_SECONDS: Record<string, number> = { h: 3600, d: 86_400, w: 604_800, m: 2_592_000, y: 31_536_000 };
const UNIT_BYTES: Record<string, number> = { kb: 1024, mb: 1_048_576, gb: 1_073_741_824 };

/** A time in an expression, in unix seconds: ISO, or an age such as `1d` or `4w`. NaN when it is neither. */
export function timeValue(text: string, nowSeconds: number): number {
  const [, count, unit] = /^(\d+)([hdwmy])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined)
    return nowSeconds - Number(count) * (UNIT_SECONDS[unit] ?? 0);
  return Date.parse(text) / 1000;
}

/** A number in an expression, with an optional `kb`, `mb` or `gb`. NaN for anything else. */
export function numberValue(text: string): number {
  const [, count, unit] = /^([\d.]+)(kb|mb|gb)$/i.exec(text) ?? [];
  return count === undefined ? Number(text) : Number(count) * (UNIT_BYTES[(unit ?? '').toLowerCase()] ?? 1);
}
