import { isAllowedType, resourceTypes, type HostMetadata } from '@holdfast/shared/media';
import { HostFailure, type AssetRef, type HostAsset } from '@holdfast/shared/media-host';
import { HoldfastError } from '@holdfast/foundation/errors';
import { note, NotRun, ok, PRESETS, REPORT, wrong, type Probe, type Verdict } from './probe.js';
import {
  type AccountTrial,
  askUntil,
  asRecord,
  bluePng,
  contextOf,
  contextShape,
  DISPLAY_NAME,
  doctorMark,
  emptyPdf,
  fileBody,
  md5Of,
  PART_FILE_BYTES,
  redPng,
  tagsOf,
} from './trial.js';

const ALTERED = 'Holdfast refuses such uploads (502 HOST_ALTERS_UPLOADS).';
const SENT_TAGS = ['sea', 'Alps', 'beach'];
/** What `Edit` leaves of them. */
export const EDITED_TAGS = ['sea', 'Alps'];
/** Pairs of others, as the Media Library and plugins write them. */
const OTHERS = {
  doctor_signs: 'a=b|c & "d" 100 % é 😀',
  doctor_backslash: String.raw`C:\temp\new`,
};

const sentMark = (runId: string) =>
  doctorMark(runId, redPng, { context: OTHERS, tags: SENT_TAGS, category: 'test' });

/** Remembers where tags are shown in another order than they were sent in. */
export function noteTags(
  { tagsReordered }: AccountTrial,
  place: string,
  item: Record<string, unknown>,
  sent: readonly string[],
): void {
  const tags = tagsOf(item);
  const isSame = tags.length === sent.length && sent.every((tag) => tags.includes(tag));
  if (isSame && tags.join() !== sent.join()) tagsReordered.add(place);
}

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
  if (isElsewhere && reply['existing'] !== true && contextOf(reply)['hf_id'] === runId) made.push(stored);
  return reply;
}

function refOf(reply: Record<string, unknown>): AssetRef {
  const { public_id: publicId, resource_type: kind } = reply;
  return { publicId: String(publicId), resourceType: resourceTypes.find((type) => type === kind) ?? 'raw' };
}

/** The image, or the probe has no chance. */
export function theImage({ image }: AccountTrial): HostAsset {
  if (image === null) throw new NotRun('the test file is not in place');
  return image;
}

/** The assumptions about single files: stored, read back, edited, renamed, delivered. */
export const fileProbes: readonly Probe<AccountTrial>[] = [
  {
    name: 'Upload',
    expected: 'keeps the name that is sent',
    fix: PRESETS,
    run: async (trial) => {
      const { account, names, runId, signal } = trial;
      const reply = await upload(trial, names.image, sentMark(runId), redPng);
      trial.imageStoredAt = performance.now();
      trial.uploadReply = reply;
      noteTags(trial, 'uploads', reply, SENT_TAGS);
      const { publicId, resourceType } = refOf(reply);
      if (publicId !== names.image.publicId || resourceType !== 'image')
        return wrong(`stored as ${resourceType} ${publicId}`, ALTERED);
      trial.image = await account.host.find(names.image, signal);
      if (trial.image === null) return wrong('cannot be found right after', 'Uploads fail.');
      return ok('as sent');
    },
  },
  {
    name: 'Stored bytes',
    expected: 'as sent; etag is their MD5',
    fix: PRESETS,
    run: ({ uploadReply: reply }) => {
      if (reply === null) throw new NotRun('the test file is not in place');
      return judgeBytes(reply, redPng, 'Holdfast refuses such uploads.');
    },
  },
  {
    name: 'Folder',
    expected: 'CLOUDINARY_FOLDER, and a name',
    fix: REPORT,
    run: ({ uploadReply: reply, cloud, folderMode }) => {
      if (reply === null) throw new NotRun('the test file is not in place');
      if (folderMode === 'fixed') return ok('fixed: by the name');
      const { asset_folder: folder, display_name: name } = reply;
      if (folder === cloud.folder && name === DISPLAY_NAME) return ok(`${folder}, "${name}"`);
      return note(
        `${JSON.stringify(folder) ?? 'none'}, ${JSON.stringify(name) ?? 'no name'}`,
        'Files are kept, and lie elsewhere in the Media Library.',
      );
    },
  },
  {
    name: 'Context',
    expected: 'values come back as sent',
    fix: REPORT,
    run: (trial) => {
      const { context } = theImage(trial);
      const sent = sentMark(trial.runId).context;
      const lost = Object.keys(sent).filter((key) => key.startsWith('hf') && !(key in context));
      if (lost.length > 0)
        return wrong(`without ${lost.join(', ')}`, 'A rebuild of the catalog would lose these fields.');
      const changed = Object.entries(OTHERS).filter(([key, value]) => context[key] !== value);
      const shape = contextShape(trial.uploadReply ?? {});
      if (changed.length > 0)
        return wrong(
          changed.map(([key]) => `${key}: ${String(context[key])}`).join(', '),
          'Values of others with such characters would change when Holdfast edits the file.',
        );
      return shape === 'nested'
        ? ok('all, also = | \\ and emoji')
        : note(`all, shown as ${shape}`, 'Holdfast reads that, too.');
    },
  },
  {
    name: 'Second upload',
    expected: 'keeps the first file',
    fix: REPORT,
    run: async (trial) => {
      const { account, names, runId, signal } = trial;
      const first = theImage(trial);
      const reply = await upload(trial, names.image, doctorMark(runId, bluePng), bluePng);
      const now = await account.host.find(names.image, signal);
      if (now === null || now.etag !== first.etag || now.assetId !== first.assetId)
        return wrong('replaces it', 'An upload that is sent twice could change what is there.');
      return reply['existing'] === true
        ? ok('kept, and answers existing')
        : note('kept, not said in the answer', 'Holdfast compares the bytes.');
    },
  },
  {
    name: 'Edit',
    expected: 'replaces all context and tags',
    fix: REPORT,
    run: async (trial) => {
      const { account, names, runId, signal } = trial;
      theImage(trial);
      const metadata = doctorMark(runId, redPng, { context: OTHERS, tags: EDITED_TAGS });
      const before = account.replies.length;
      await account.host.annotate(names.image, metadata, signal);
      const first = asRecord(account.replies[before]);
      const after = await account.host.find(names.image, signal);
      if (after === null || 'category' in after.context || after.tags.length > EDITED_TAGS.length)
        return wrong('what is left out stays', 'A field that is cleared here would come back.');
      trial.image = after;
      noteTags(trial, 'edits', first, EDITED_TAGS);
      return 'category' in contextOf(first) || tagsOf(first).length > EDITED_TAGS.length
        ? note('merges', 'Holdfast clears what is left out by a call of its own.')
        : ok('replaced');
    },
  },
  {
    name: 'Rename',
    expected: 'keeps asset id and context',
    fix: REPORT,
    run: async (trial) => {
      const { account, names, signal } = trial;
      const { assetId, context } = theImage(trial);
      trial.made.push(names.renamed);
      await account.rename(names.image, names.renamed.publicId, signal);
      const renamed = await account.host.find(names.renamed, signal);
      if (renamed !== null) trial.image = renamed;
      if (renamed?.assetId !== assetId)
        return wrong('not found under its asset id', 'A renamed file would look like a new one.');
      return renamed.context['hf_id'] === context['hf_id']
        ? ok('both kept')
        : wrong('the context is gone', 'A renamed file would lose its record.');
    },
  },
  {
    name: 'Upload in parts',
    expected: 'joined; etag is the MD5',
    fix: 'Lower UPLOAD_MAX_BYTES to 100000000: larger files are sent in parts.',
    run: async (trial) => {
      const { names, runId } = trial;
      const body = Buffer.alloc(PART_FILE_BYTES, 'holdfast doctor ');
      const reply = await upload(trial, names.parts, doctorMark(runId, body), body);
      return judgeBytes(reply, body, 'Files above 100 MB are refused.');
    },
  },
  {
    name: 'Private file',
    expected: 'stored, listed, downloaded',
    fix: 'Allow the delivery type authenticated, or set CATALOG_SNAPSHOT=false.',
    run: async (trial) => {
      const { account, names, signal } = trial;
      const means = 'Snapshots of the catalog could not be restored: recoveries take the listing.';
      trial.madeFile = true;
      await account.host.putFile(names.file, fileBody, signal).catch((error: unknown) => {
        trial.madeFile = !isRefused(error);
        throw error;
      });
      let body: Buffer | null;
      try {
        body = await account.host.readFile(names.file, signal);
      } catch (error) {
        const status = refusalOf(error);
        if (status === null) throw error;
        return wrong(`its download answers ${String(status)}`, means);
      }
      if (body === null) return wrong('its download answers 404', means);
      if (!body.equals(fileBody)) return wrong('its download has other bytes', means);
      const listed = await askUntil(
        trial,
        () => account.host.listFiles(names.file, signal),
        (files) => files.some(({ name }) => name === names.file),
      );
      return listed.length > 0 ? ok('all three') : wrong('not listed', means);
    },
  },
  {
    name: 'Delivery',
    expected: 'its URL serves the same bytes',
    fix: 'In the console, Settings, Security: let the delivery type upload be served without a signature.',
    run: async (trial) => {
      const { url, etag } = theImage(trial);
      return delivered(trial, { url, etag }, redPng, 'The URLs in records do not work.');
    },
  },
  {
    name: 'Delivery of a PDF',
    expected: 'its URL serves the same bytes',
    fix: 'In the console, Settings, Security, "PDF and ZIP files delivery": allow it. New accounts do not.',
    run: async (trial) => {
      const { names, runId, settings } = trial;
      if (!isAllowedType('application/pdf', settings.uploads.allowedTypes))
        throw new NotRun('UPLOAD_ALLOWED_TYPES has no PDF');
      const reply = await upload(trial, names.pdf, doctorMark(runId, emptyPdf), emptyPdf);
      return delivered(
        trial,
        { url: String(reply['secure_url']), etag: reply['etag'] },
        emptyPdf,
        'PDFs are kept, but their URLs do not work.',
      );
    },
  },
];

function judgeBytes(reply: Record<string, unknown>, sent: Buffer, means: string): Verdict {
  const { bytes, etag } = reply;
  const size = `${String(bytes)} bytes`;
  if (bytes !== sent.length) return wrong(`${size} for ${String(sent.length)}`, means);
  if (typeof etag !== 'string')
    return wrong(`${size}, no etag`, 'Holdfast cannot tell whether the stored bytes are right.');
  return etag === md5Of(sent) ? ok(`${size}, same MD5`) : wrong(`${size}, etag of other bytes`, means);
}

async function delivered(
  { account, signal }: AccountTrial,
  { url, etag }: { url: string; etag: unknown },
  sent: Buffer,
  means: string,
): Promise<Verdict> {
  try {
    const body = await account.deliver(url, signal);
    if (body === null) return wrong('404', means);
    if (body.equals(sent)) return ok('same bytes');
    if (etag !== md5Of(sent)) throw new NotRun('the account stored other bytes');
    return wrong('other bytes', means);
  } catch (error) {
    const status = refusalOf(error);
    if (status === null) throw error;
    return wrong(String(status), means);
  }
}

/** Whether the account has not stored what it was sent. */
function isRefused(error: unknown): boolean {
  const cause = error instanceof HoldfastError ? error.cause : null;
  return cause instanceof HostFailure && cause.status !== null && [400, 401, 403].includes(cause.status);
}

/** The status of a plain refusal; null for anything else. */
function refusalOf(error: unknown): number | null {
  const cause = error instanceof HoldfastError ? error.cause : null;
  return cause instanceof HostFailure && cause.status !== null && [401, 403, 404].includes(cause.status)
    ? cause.status
    : null;
}
