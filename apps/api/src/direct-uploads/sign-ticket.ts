import { z } from 'zod';
import { mayBeAnyKind, type Tickets } from '@holdfast/shared/direct-uploads';
import { HoldfastError } from '@holdfast/foundation/errors';
import {
  emptyFields,
  firstFields,
  isAllowedType,
  newMediaId,
  resourceTypeOf,
  resourceTypes,
  writeHostMetadata,
  type EditableFields,
  type ResourceType,
} from '@holdfast/shared/media';
import type { Answer, Input } from '../http/route.js';
import { listOrText, mediaFieldRules } from '../media/media-fields.js';
import { cleanFilename, refFor } from '../media/new-media.js';
import type { Uploads } from '../uploads/uploads.js';

/**
 * What a client says about the file that it is going to send. All of it is optional, none of it is trusted, and other fields
 * are ignored.
 */
export const ticketRequest = z
  .object({
    filename: z
      .string('must be text')
      .max(1_000, 'must have at most 1000 characters')
      .optional()
      .describe('Name of the file.'),
    ...z
      .object({ ...mediaFieldRules, tags: listOrText.describe('A list, or one comma-separated text.') })
      .partial().shape,
    bytes: z
      .int('must be a number of bytes')
      .min(1, 'must be at least 1')
      .optional()
      .describe('Size of the file, if known.'),
    type: z
      .union(
        [z.enum(['auto', ...resourceTypes]), z.string().regex(/^[a-z]+\/[a-z0-9.+-]+$/)],
        'must be image, video, raw or a media type such as image/png',
      )
      .default('auto')
      .describe('`auto`, image, video, raw, or a media type such as `image/png`.'),
  })
  .prefault({});

type TicketRequest = z.infer<typeof ticketRequest>;

/** Of the name of a file, without the dot: what a public id accepts. */
const EXTENSION = /\.([A-Za-z0-9]{1,12})$/;
/** An upload must have begun within this time. */
const GOOD_FOR_MS = 30 * 60_000;
/** The host takes a signature for one hour after its timestamp, so ours is dated back to end when the ticket does. */
const HOST_TAKES_MS = 3_600_000;
/** A ticket is kept for as long as an upload that began in time may take. */
const REMEMBER_MS = GOOD_FOR_MS + 2 * 3_600_000;

/**
 * `POST /api/media/uploads/sign`: what a client needs to send one file straight to the host. The record's words and the
 * expiry travel with the asset, signed, so that nothing has to be remembered for the file to be adopted.
 */
export const signTicket =
  ({ folder, uploads, host }: Pick<Uploads, 'folder' | 'uploads' | 'host'>, tickets: Tickets) =>
  async ({ body, context }: Input<never, undefined, TicketRequest>): Promise<Answer> => {
    const { filename: given = '', bytes = 0, type, ...described } = body;
    if (bytes > uploads.maxBytes)
      throw new HoldfastError('FILE_TOO_LARGE', `files may have at most ${String(uploads.maxBytes)} bytes`);
    const fields = { ...emptyFields, ...(described as Partial<EditableFields>) };
    const resourceType = acceptableType(type, uploads.allowedTypes);
    const filename = cleanFilename(given);
    const id = newMediaId();
    const extension = EXTENSION.exec(filename)?.[1] ?? '';
    const ref = refFor(folder, id, { resourceType, extension: extension.toLowerCase() });
    // By the host's clock, which also dates the file.
    const expiresAtMs = host.hostNow() + GOOD_FOR_MS;
    const metadata = writeHostMetadata({
      mark: { state: 'ticket', expiresAtMs },
      fields: {
        ...firstFields({ id, filename, uploadedBy: context.client.name, source: 'direct' }, new Date()),
        ...fields,
        tags: fields.tags.map(asFormsSend),
      },
    });
    const timestamp = Math.floor((expiresAtMs - HOST_TAKES_MS) / 1_000);
    const signed = await host.signUpload({ ...ref, metadata, timestamp });
    const added = resourceType === 'raw' ? '' : extension;
    await tickets.issue(id, { publicId: ref.publicId, extension: added }, REMEMBER_MS);
    context.log.info('direct.signed', { id, client: context.client.name });
    return { status: 200, body: { id, ...signed, expiresAt: new Date(expiresAtMs).toISOString() } };
  };

/** Line breaks as forms write them (browsers whatever the page says): others would break the signature. Tags alone travel as they are. */
function asFormsSend(text: string): string {
  return text.replaceAll(/\r\n?|\n/g, '\r\n');
}

/** Where the file is sent. Throws UNSUPPORTED_TYPE for a type that is not accepted; the file is judged when it is there. */
function acceptableType(type: TicketRequest['type'], allowed: readonly string[]): ResourceType | 'auto' {
  const named = (['auto', ...resourceTypes] as const).find((name) => name === type);
  const resourceType = named ?? resourceTypeOf(type);
  const isAccepted =
    resourceType === 'raw' ? mayBeAnyKind(allowed) : named !== undefined || isAllowedType(type, allowed);
  if (isAccepted) return resourceType;
  throw new HoldfastError(
    'UNSUPPORTED_TYPE',
    `uploads of the type ${type} are not accepted; accepted types are ${allowed.join(', ')}`,
  );
}
