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

/**
 * Where the SHA-256 index keeps a checksum: 16,384 small sorted sets, each entry `<start of the checksum>:<id>`.
 * The sets stay in Redis' compact encoding up to two million records. Spelled in Lua in script-prelude.ts too.
 */
export function sha256Place(sha256: string): { bucket: string; start: string } {
  return sha256PlaceOf(packHex(sha256));
}

/** The same of a checksum as the content line has it. */
export function sha256PlaceOf(packed: string): { bucket: string; start: string } {
  return { bucket: packed.slice(1, 3) + String(packed.charCodeAt(3) % 4), start: packed.slice(4, 16) };
}
