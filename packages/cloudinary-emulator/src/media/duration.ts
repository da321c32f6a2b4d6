/** Seconds of an MP4 whose `mvhd` box, or a WAV whose header, is in the first bytes; else null. */
export function cheapDuration(format: string, head: Buffer): number | null {
  if (format === 'wav') return wavDuration(head);
  if (format === 'mp4' || format === 'mov' || format === 'm4a') return mp4Duration(head);
  return null;
}

function mp4Duration(head: Buffer): number | null {
  const box = head.indexOf('mvhd', 0, 'latin1');
  if (box < 0 || head.length < box + 36) return null;
  const wide = head[box + 4] === 1;
  const scale = head.readUInt32BE(box + (wide ? 24 : 16));
  const duration = wide ? Number(head.readBigUInt64BE(box + 28)) : head.readUInt32BE(box + 20);
  return scale === 0 ? null : duration / scale;
}

function wavDuration(head: Buffer): number | null {
  const data = head.indexOf('data', 12, 'latin1');
  if (head.length < 32 || data < 0 || head.length < data + 8) return null;
  const bytesPerSecond = head.readUInt32LE(28);
  return bytesPerSecond === 0 ? null : head.readUInt32LE(data + 4) / bytesPerSecond;
}
