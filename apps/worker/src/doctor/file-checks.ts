import { HoldfastError } from '@holdfast/foundation/errors';
import { isAllowedType, resourceTypes, type HostMetadata } from '@holdfast/shared/media';
import { HostFailure, type AssetRef } from '@holdfast/shared/media-host';
import { note, NotRun, PRESETS, REPORT, wrong, type Check, type Verdict } from './check.js';
import {
  type AccountTrial,
  askUntil,
  asRecord,
  bluePng,
  DISPLAY_NAME,
  doctorMark,
  emptyPdf,
  fileBody,
  md5Of,
  partsBody,
  redPng,
  theImage,
} from './trial.js';

const TAGS = ['sea', 'Alps', 'beach'];
/** What `Edit` leaves of them. */
const EDITED_TAGS = ['sea', 'Alps'];
/** Pairs of others, as the Media Library and plugins write them. */
const OTHERS = {
  doctor_signs: 'a=b|c & "d" 100 % é 😀',
  doctor_backslash: String.raw`C:\temp\new`,
};

const sentMark = (runId: string) =>
  doctorMark(runId, redPng, { context: OTHERS, tags: TAGS, category: 'test' });

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.toSorted().join() === b.toSorted().join();

/** The assumptions about single files: stored, read back, edited, renamed, delivered. */
export const fileChecks: readonly Check<AccountTrial>[] = [
  {
    name: 'Upload',
    expected: 'keeps the name that is sent',
    means: 'Holdfast refuses such uploads (502 HOST_ALTERS_UPLOADS).',
    fix: PRESETS,
    gate: true,
    try: async (trial) => {
      const { account, names, runId, signal } = trial;
      const reply = await upload(trial, names.image, sentMark(runId), redPng);
      trial.imageStoredAt = performance.now();
      trial.uploadReply = reply;
      const { publicId, resourceType } = refOf(reply);
      if (publicId !== names.image.publicId || resourceType !== 'image')
        return wrong(`stored as ${resourceType} ${publicId}`);
      trial.image = await account.host.find(names.image, signal);
      return trial.image === null
        ? wrong('cannot be found right after', { means: 'Uploads fail.', fix: REPORT })
        : 'as sent';
    },
  },
  {
    name: 'Stored bytes',
    expected: 'as sent; etag is their MD5',
    means: 'Holdfast refuses such uploads.',
    fix: PRESETS,
    try: ({ uploadReply }) => judgeBytes(uploadReply, redPng),
  },
  {
    name: 'Folder',
    expected: 'CLOUDINARY_FOLDER, and a name',
    fix: REPORT,
    try: ({ uploadReply: { asset_folder: folder, display_name: name }, cloud, folderMode }) => {
      if (folderMode === 'fixed') return 'fixed: by the name';
      if (folder === cloud.folder && name === DISPLAY_NAME) return `${folder}, "${name}"`;
      const found = `${JSON.stringify(folder) ?? 'none'}, ${JSON.stringify(name) ?? 'no name'}`;
      return note(found, 'Files are kept, but appear elsewhere in the Media Library.');
    },
  },
  {
    name: 'Context and tags',
    expected: 'values come back as sent',
    means: 'A rebuild of the catalog would lose or change these fields.',
    fix: REPORT,
    try: (trial) => {
      const { context, tags } = theImage(trial);
      const sent = Object.entries({ ...sentMark(trial.runId).context, ...OTHERS });
      // Fields with a time were written at another moment.
      const isKept = ([key, value]: [string, string]): boolean =>
        key in OTHERS ? context[key] === value : key in context;
      const lost = sent.filter((pair) => !isKept(pair)).map(([key]) => `${key}: ${context[key] ?? 'none'}`);
      if (!isSameSet(tags, TAGS)) lost.push(`tags: ${tags.join(' ')}`);
      return lost.length === 0 ? 'all, also = | \\ and emoji' : wrong(lost.join(', '));
    },
  },
  {
    name: 'Second upload',
    expected: 'keeps the first file',
    means: 'Sending an upload twice could change the stored file.',
    fix: REPORT,
    try: async (trial) => {
      const { account, names, runId, signal } = trial;
      const first = theImage(trial);
      const reply = await upload(trial, names.image, doctorMark(runId, bluePng), bluePng);
      const now = await account.host.find(names.image, signal);
      if (now?.etag !== first.etag || now.assetId !== first.assetId) return wrong('replaces it');
      return reply['existing'] === true
        ? 'kept, and answers existing'
        : note('kept, not said in the answer', 'Holdfast compares the bytes.');
    },
  },
  {
    name: 'Edit',
    expected: 'replaces all context and tags',
    means: 'A field that is cleared here would come back.',
    fix: REPORT,
    try: async (trial) => {
      const { account, names, runId, signal } = trial;
      const metadata = doctorMark(runId, redPng, { context: OTHERS, tags: EDITED_TAGS });
      const before = account.replies.length;
      await account.host.annotate(names.image, metadata, signal);
      const calls = account.replies.length - before;
      const after = await account.host.find(names.image, signal);
      if (after === null || 'category' in after.context || !isSameSet(after.tags, EDITED_TAGS))
        return wrong('what is left out stays');
      trial.image = after;
      return calls > 1
        ? note('merges', 'Holdfast clears what is left out with a separate call.')
        : 'replaced';
    },
  },
  {
    name: 'Rename',
    expected: 'keeps asset id and context',
    means: 'A renamed file would lose its record, or look like a new one.',
    fix: REPORT,
    try: async (trial) => {
      const { account, names, signal } = trial;
      const { assetId, context } = theImage(trial);
      trial.made.push(names.renamed);
      await account.rename(names.image, names.renamed.publicId, signal);
      const renamed = await account.host.find(names.renamed, signal);
      if (renamed !== null) trial.image = renamed;
      if (renamed?.assetId !== assetId) return wrong('not found under its asset id');
      return renamed.context['hf_id'] === context['hf_id'] ? 'both kept' : wrong('the context is gone');
    },
  },
  {
    name: 'Upload in parts',
    expected: 'joined; etag is the MD5',
    means: 'Files above 100 MB are refused.',
    fix: 'Lower UPLOAD_MAX_BYTES to 100000000: larger files are sent in parts.',
    try: async (trial) => {
      const { names, runId } = trial;
      const reply = await upload(trial, names.parts, doctorMark(runId, partsBody), partsBody);
      return judgeBytes(reply, partsBody);
    },
  },
  {
    name: 'Private file',
    expected: 'stored, listed, downloaded',
    means: 'Snapshots of the catalog could not be restored: recoveries would use the listing.',
    fix: 'Allow the delivery type authenticated, or set CATALOG_SNAPSHOT=false.',
    try: async (trial) => {
      const { account, names, signal } = trial;
      trial.madeFile = true;
      await account.host.putFile(names.file, fileBody, signal).catch((error: unknown) => {
        trial.madeFile = !isRefused(error);
        throw error;
      });
      const body = await bodyOrStatus(account.host.readFile(names.file, signal));
      if (typeof body === 'number') return wrong(`its download answers ${String(body)}`);
      if (!body.equals(fileBody)) return wrong('its download has other bytes');
      const listed = await askUntil(
        trial,
        () => account.host.listFiles(names.file, signal),
        (files) => files.some(({ name }) => name === names.file),
      );
      return listed.length > 0 ? 'all three' : wrong('not listed');
    },
  },
  {
    name: 'Delivery',
    expected: 'its URL serves the same bytes',
    means: 'The URLs in records do not work.',
    fix: 'In the console, Settings, Security: let the delivery type upload be served without a signature.',
    try: (trial) => {
      const { url, etag } = theImage(trial);
      return judgeDelivery(trial, url, etag, redPng);
    },
  },
  {
    name: 'Delivery of a PDF',
    expected: 'its URL serves the same bytes',
    means: 'PDFs are kept, but their URLs do not work.',
    fix: 'In the console, Settings, Security, "PDF and ZIP files delivery": allow it. New accounts do not.',
    try: async (trial) => {
      const { names, runId, settings } = trial;
      if (!isAllowedType('application/pdf', settings.uploads.allowedTypes))
        throw new NotRun('UPLOAD_ALLOWED_TYPES has no PDF');
      const reply = await upload(trial, names.pdf, doctorMark(runId, emptyPdf), emptyPdf);
      return judgeDelivery(trial, String(reply['secure_url']), reply['etag'], emptyPdf);
    },
  },
];

/** Uploads a file of this run, and remembers every name under which it may be there. */
async function upload(
  { account, made, runId, signal }: AccountTrial,
  ref: AssetRef,
  metadata: HostMetadata,
  body: Buffer,
): Promise<Record<string, unknown>> {
  made.push(ref);
  const reply = asRecord(
    await account.put({ ref, metadata, body, signal }).catch((error: unknown) => {
      if (isRefused(error)) made.pop();
      throw error;
    }),
  );
  const stored = refOf(reply);
  const isElsewhere = stored.publicId !== ref.publicId || stored.resourceType !== ref.resourceType;
  if (isElsewhere && (await account.host.find(stored, signal))?.context['hf_id'] === runId) made.push(stored);
  return reply;
}

function refOf({ public_id: publicId, resource_type: kind }: Record<string, unknown>): AssetRef {
  return { publicId: String(publicId), resourceType: resourceTypes.find((type) => type === kind) ?? 'raw' };
}

function judgeBytes({ bytes, etag }: Record<string, unknown>, sent: Buffer): string | Verdict {
  const size = `${String(bytes)} bytes`;
  if (bytes !== sent.length) return wrong(`${size} for ${String(sent.length)}`);
  if (etag === md5Of(sent)) return `${size}, same MD5`;
  return wrong(typeof etag === 'string' ? `${size}, etag of other bytes` : `${size}, no etag`);
}

async function judgeDelivery(
  { account, signal }: AccountTrial,
  url: string,
  etag: unknown,
  sent: Buffer,
): Promise<string | Verdict> {
  const body = await bodyOrStatus(account.deliver(url, signal));
  if (typeof body === 'number') return wrong(String(body));
  if (body.equals(sent)) return 'same bytes';
  if (etag !== md5Of(sent)) throw new NotRun('the account stored other bytes');
  return wrong('other bytes');
}

/** What was downloaded, or the status of a plain refusal. */
async function bodyOrStatus(download: Promise<Buffer | null>): Promise<Buffer | number> {
  try {
    return (await download) ?? 404;
  } catch (error) {
    const status = statusOf(error);
    if (status === null || ![401, 403, 404].includes(status)) throw error;
    return status;
  }
}

/** Whether the account has not stored what it was sent. */
function isRefused(error: unknown): boolean {
  return [400, 401, 403].includes(statusOf(error) ?? 0);
}

function statusOf(error: unknown): number | null {
  const cause = error instanceof HoldfastError ? error.cause : null;
  return cause instanceof HostFailure ? cause.status : null;
}
