import { z } from 'zod';
import type { EmulatorControl } from '@holdfast/cloudinary-emulator';

/** The fields that a sync asks for: a smaller answer must not make the other side slower. */
const FIELDS = [
  'asset_id',
  'public_id',
  'resource_type',
  'format',
  'version',
  'created_at',
  'uploaded_at',
  'bytes',
  'width',
  'height',
  'secure_url',
  'etag',
  'tags',
  'context',
].join(',');

const page = z.object({ resources: z.array(z.unknown()), next_cursor: z.string().optional() });

/** Fetches every page of every resource type with the SDK and does nothing with them; the time and the number of assets. */
export async function timePlainListing(host: EmulatorControl): Promise<{ ms: number; listed: number }> {
  // The SDK decides between http and https at its import, by this variable.
  process.env['CLOUDINARY_URL'] ??= host.cloudinaryUrl;
  const { v2: cloudinary } = await import('cloudinary');
  const { username, password, hostname } = new URL(host.cloudinaryUrl);
  const start = performance.now();
  let listed = 0;
  for (const resourceType of ['image', 'video', 'raw']) {
    let cursor: string | undefined;
    do {
      const answer: unknown = await cloudinary.api.resources({
        cloud_name: hostname,
        api_key: username,
        api_secret: password,
        upload_prefix: host.url,
        resource_type: resourceType,
        type: 'upload',
        max_results: 500,
        direction: 'asc',
        tags: true,
        context: true,
        // For a list the SDK repeats the parameter, of which the host keeps the last.
        fields: FIELDS,
        ...(cursor === undefined ? {} : { next_cursor: cursor }),
      });
      const { resources, next_cursor: next } = page.parse(answer);
      listed += resources.length;
      cursor = next;
    } while (cursor !== undefined);
  }
  return { ms: performance.now() - start, listed };
}
