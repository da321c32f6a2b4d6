const SMALL_BYTES = 1_024;

/** Adds to the chunks of a body that are held. Small ones are joined: a client may send single bytes, each an object of a hundred. */
export function appendChunk(chunks: Buffer[], chunk: Buffer): void {
  const last = chunks.at(-1);
  if (last !== undefined && last.length + chunk.length <= SMALL_BYTES)
    chunks[chunks.length - 1] = Buffer.concat([last, chunk]);
  else chunks.push(chunk);
}
