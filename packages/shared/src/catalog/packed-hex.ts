const LOWER_HEX = /^[0-9a-f]+$/;

/** Lower-case hex in two thirds of the room; any other text as it is. */
export function packHex(hex: string): string {
  return hex.length % 2 === 0 && LOWER_HEX.test(hex)
    ? `=${Buffer.from(hex, 'hex').toString('base64url')}`
    : hex;
}

export function unpackHex(text: string): string {
  return text.startsWith('=') ? Buffer.from(text.slice(1), 'base64url').toString('hex') : text;
}
