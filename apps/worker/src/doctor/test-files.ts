import { hash } from 'node:crypto';
import {
  doctorPrefix,
  firstFields,
  writeHostMetadata,
  type CarriedFields,
  type HostMetadata,
} from '@holdfast/shared/media';
import type { MediaHost } from '@holdfast/shared/media-host';

/** Always the same names, so that each doctor removes what one that was killed has left. */
export function testFiles(folder: string) {
  const prefix = doctorPrefix(folder);
  return {
    image: { publicId: `${prefix}image`, resourceType: 'image' },
    pdf: { publicId: `${prefix}pdf`, resourceType: 'image' },
    parts: { publicId: `${prefix}parts.bin`, resourceType: 'raw' },
    private: `${prefix}file.txt`,
  } as const;
}

/** Removes all test files; resolves with the names of those that could not be removed. Never rejects. */
export async function removeTestFiles(
  host: MediaHost,
  { image, pdf, parts, private: file }: ReturnType<typeof testFiles>,
  signal: AbortSignal,
): Promise<string[]> {
  const left: string[] = [];
  for (const ref of [image, pdf, parts]) {
    const isThere = host.remove(ref, signal).then(async () => (await host.find(ref, signal)) !== null);
    if (await isThere.catch(() => true)) left.push(ref.publicId);
  }
  await host.removeFile(file, signal).catch(() => left.push(file));
  return left;
}

/** Pairs of others, as the Media Library and plugins write them. */
const OTHERS = {
  doctor_signs: 'a=b|c & "d" 100 % é 😀',
  doctor_backslash: String.raw`C:\temp\new`,
};

/**
 * An upload that was never acknowledged: syncs of other deployments on the same cloud do not adopt it. Those of this one know the
 * names.
 */
export function markOf(id: string, body: Buffer, over: Partial<CarriedFields> = {}): HostMetadata {
  // No API key can have this name.
  const uploadedBy = 'holdfast doctor';
  const first = firstFields({ id, filename: 'doctor', uploadedBy, source: 'upload' }, new Date());
  const checksum = { sha256: hash('sha256', body), md5: hash('md5', body) };
  const fields = { ...first, title: 'holdfast doctor', checksum, ...over };
  const written = writeHostMetadata({ mark: { state: 'started', deadlineSeconds: 600 }, fields });
  return { ...written, context: { ...written.context, ...OTHERS } };
}

/** Just above Cloudinary's least size of a part, 5 MiB. */
export const PART_BYTES = 5 * 1024 * 1024 + 1_024;

export const bodies = {
  parts: Buffer.alloc(PART_BYTES + 1_000, 'holdfast doctor '),
  file: Buffer.from('A test file of holdfast doctor.'),
  /** Two pictures of one pixel, and a page of nothing. */
  red: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGM4IScHAAK2AQU0pnWqAAAAAElFTkSuQmCC',
    'base64',
  ),
  blue: Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQkzsBAAFiAQURG6MhAAAAAElFTkSuQmCC',
    'base64',
  ),
  /** The numbers at its end are places in it. */
  pdf: Buffer.from(`%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj
xref
0 4
0000000000 65535 f${' '}
0000000009 00000 n${' '}
0000000052 00000 n${' '}
0000000101 00000 n${' '}
trailer<</Size 4/Root 1 0 R>>
startxref
162
%%EOF
`),
};
