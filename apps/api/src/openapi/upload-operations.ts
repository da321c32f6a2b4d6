import { mediaLimits } from '@holdfast/shared/media';
import type { Operations } from './operation.js';

const host = [
  'HOST_REJECTED',
  'HOST_CONTENT_MISMATCH',
  'HOST_ALTERS_UPLOADS',
  'HOST_TIMEOUT',
  'HOST_LIMIT',
  'STORAGE_FULL',
] as const;
const redis = ['QUEUE_UNAVAILABLE', 'CATALOG_UNAVAILABLE', 'CATALOG_REBUILDING'] as const;
const accepted = {
  201: {
    description: 'Verified, within the time that `Prefer` allowed.',
    schema: 'MediaAnswer',
    headers: ['Location', 'Preference-Applied'],
  },
  202: {
    description: 'Permanent; the record is being verified.',
    schema: 'MediaAnswer',
    headers: ['Location', 'Preference-Applied'],
  },
} as const;
const replayed = ['Location', 'Preference-Applied', 'Idempotent-Replayed'] as const;

export const uploadOperations: Operations = {
  'POST /api/media/upload': {
    tag: 'uploads',
    summary: 'Upload one file',
    description:
      'The file streams through to the media host. Its kind is decided by its first bytes. Nothing is left on the host after an error answer.',
    query: {
      duplicates: {
        description:
          '`return`: bytes that this client has uploaded before are answered with the media that is there.',
        type: 'string',
        enum: ['keep', 'return'],
        default: 'keep',
      },
    },
    headers: ['Prefer', 'Idempotency-Key', 'Repr-Digest'],
    body: {
      type: 'multipart/form-data',
      schema: {
        type: 'object',
        required: ['file'],
        properties: {
          title: { type: 'string', maxLength: mediaLimits.title },
          description: { type: 'string', maxLength: mediaLimits.description },
          category: { type: 'string', maxLength: mediaLimits.category },
          tags: {
            type: 'string',
            description: `At most ${String(mediaLimits.tags)} of 1 to ${String(mediaLimits.tag)} characters, with commas between them; the part may be repeated.`,
          },
          file: { type: 'string', contentMediaType: 'application/octet-stream' },
        },
      },
    },
    answers: {
      ...accepted,
      200: {
        description: 'With `duplicates=return`: these bytes are there already.',
        schema: 'DuplicateAnswer',
        headers: ['Location', 'Idempotent-Replayed'],
      },
      201: { ...accepted[201], headers: replayed },
      202: { ...accepted[202], headers: replayed },
    },
    errors: [
      ...host,
      ...redis,
      'MALFORMED_BODY',
      'FILE_MISSING',
      'FILE_EMPTY',
      'TOO_MANY_FILES',
      'DIGEST_MISMATCH',
      'CLIENT_ABORTED',
      'MEDIA_NOT_FOUND',
      'REQUEST_TIMEOUT',
      'IDEMPOTENCY_IN_PROGRESS',
      'IDEMPOTENCY_MISMATCH',
      'FILE_TOO_LARGE',
      'BODY_TOO_LARGE',
      'UNSUPPORTED_TYPE',
      'UNSUPPORTED_BODY',
      'OVERLOADED',
      'UPLOAD_EXPIRED',
      'SHUTTING_DOWN',
    ],
  },
  'POST /api/media/uploads/sign': {
    tag: 'uploads',
    summary: 'Sign an upload straight to Cloudinary',
    description:
      'Post `fields` and the file, as multipart/form-data, to `url` before `expiresAt`; then tell us with `complete`. All of the body is optional. On the local host: 501.',
    bodyFields: {
      filename: { description: 'Name of the file.' },
      title: { maxLength: mediaLimits.title },
      description: { maxLength: mediaLimits.description },
      category: { maxLength: mediaLimits.category },
      tags: { description: 'A list, or one text with commas.' },
      bytes: { description: 'Size of the file, where it is known.' },
      type: { description: '`auto`, image, video, raw, or a media type such as `image/png`.' },
    },
    answers: { 200: { description: 'The ticket.', schema: 'Ticket' } },
    errors: [...redis, 'FILE_TOO_LARGE', 'UNSUPPORTED_TYPE', 'NOT_SUPPORTED'],
  },
  'POST /api/media/uploads/:id/complete': {
    tag: 'uploads',
    summary: 'Tell that a direct upload is done',
    path: { id: { description: '`id` of the ticket.' } },
    headers: ['Prefer'],
    answers: accepted,
    errors: [
      ...host,
      ...redis,
      'MEDIA_NOT_FOUND',
      'MEDIA_DELETING',
      'UPLOAD_INCOMPLETE',
      'UPLOAD_EXPIRED',
      'FILE_TOO_LARGE',
      'UNSUPPORTED_TYPE',
      'NOT_SUPPORTED',
    ],
  },
  'POST /api/media/webhooks/cloudinary': {
    tag: 'uploads',
    summary: 'Notification of Cloudinary',
    description:
      'Open to everyone; the signature decides. Set this as the notification URL of the product environment.',
    headers: ['X-Cld-Timestamp', 'X-Cld-Signature'],
    body: { type: 'application/json', schema: { type: 'object' } },
    answers: { 200: { description: 'Received.', schema: 'NotificationReceived' } },
    errors: [
      ...redis,
      'INVALID_SIGNATURE',
      'MALFORMED_BODY',
      'BODY_TOO_LARGE',
      'UNSUPPORTED_BODY',
      'REQUEST_TIMEOUT',
      'CLIENT_ABORTED',
      'OVERLOADED',
      'NOT_SUPPORTED',
    ],
  },
};
