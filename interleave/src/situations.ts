import { aFile, OTHERS_PAIR, type UploadedFile, type World } from './world.js';

/** Which fields an operation sets, and to what. */
export type Fields = Partial<Record<'title' | 'description' | 'category', string>>;

/** The one file that a case is about. */
export interface Subject {
  /** Null where it is yet to be uploaded. */
  id: string | null;
  file: UploadedFile;
  /** What the record says where no operation changes it. */
  fields: Fields;
  /** Fields acknowledged with 202 only: a wiped Redis may lose them, back to these. */
  unpushed: Fields;
  /** The asset on which others keep OTHERS_PAIR; null where there is none. */
  othersPairOn: string | null;
  isDeleted: boolean;
}

export const situations = {
  /** Nothing is there yet. */
  fresh: async () => subjectOf(aFile('small', 300)),
  /** The same with a file whose bytes and mark go to the host in two calls. */
  freshLarge: async () => subjectOf(aFile('large', 400_000)),
  /** Acknowledged; nothing of its jobs has run. */
  accepted: uploaded,
  /** Verified, and in step with the host. */
  verified,
  /** Edited here while the host failed. */
  unpushed: async (world) => {
    const subject = await verified(world);
    await whileHostFails(world, ['explicit'], () =>
      world.b.call('PATCH', pathOf(subject), json({ title: 'waiting' })),
    );
    return { ...subject, unpushed: { title: 'first' }, fields: { ...subject.fields, title: 'waiting' } };
  },
  /** Edited on the host, and no sync has seen it. */
  editedThere: async (world) => {
    const subject = await verified(world);
    await editOnHost(world, subject, { description: 'there' });
    return { ...subject, fields: { ...subject.fields, description: 'there' } };
  },
  /** Deleted here while the host failed. */
  deleting: async (world) => {
    const subject = await verified(world);
    await whileHostFails(world, ['destroy'], () => world.b.call('DELETE', pathOf(subject)));
    return { ...subject, isDeleted: true };
  },
  /** Put on the host by others, and known. */
  foreign: async (world) => {
    const file = aFile('foreign', 300);
    const context = Object.fromEntries([OTHERS_PAIR]);
    const asset = await world.emulator.assets.put(
      { publicId: 'cats/tom', resourceType: 'image', content: file.content, context },
      { quiet: true },
    );
    await world.sync();
    const { assetId } = asset;
    return { ...(await subjectOf(file)), id: `cld-${assetId}`, othersPairOn: assetId, fields: {} };
  },
} satisfies Record<string, (world: World) => Promise<Subject>>;

export type SituationName = keyof typeof situations;

export const situationNames = Object.keys(situations) as SituationName[];

async function subjectOf(file: UploadedFile): Promise<Subject> {
  const fields = { title: file.title, description: '', category: '' };
  return Promise.resolve({ id: null, file, fields, unpushed: {}, othersPairOn: null, isDeleted: false });
}

async function uploaded(world: World): Promise<Subject> {
  const subject = await subjectOf(aFile('given', 300));
  const { told, body } = await world.upload(world.b, subject.file);
  if (told !== 'done') throw new Error(`the upload was answered ${JSON.stringify(body)}`);
  return { ...subject, id: body.media.id as string };
}

async function verified(world: World): Promise<Subject> {
  const subject = await uploaded(world);
  await world.b.drain();
  await editOnHost(world, subject, Object.fromEntries([OTHERS_PAIR]));
  await world.sync();
  await world.b.drain();
  return { ...subject, othersPairOn: (await world.assetOf(subject.id ?? ''))?.assetId ?? null };
}

/** As a person in the console of the host does; no notification comes. */
export async function editOnHost(
  world: World,
  { id }: Subject,
  pairs: Readonly<Record<string, string>>,
): Promise<void> {
  const asset = await world.assetOf(id ?? '');
  if (asset === null) return;
  await world.emulator.assets.edit(
    asset.assetId,
    { context: { ...asset.context, ...pairs } },
    { quiet: true },
  );
}

async function whileHostFails(
  { emulator }: World,
  endpoint: string[],
  work: () => Promise<unknown>,
): Promise<void> {
  await emulator.faults.add({ kind: 'error', match: { endpoint }, count: null });
  await work();
  await emulator.faults.clear();
}

export function pathOf({ id }: Pick<Subject, 'id'>): string {
  return `/api/media/${id ?? ''}`;
}

export function json(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
}
