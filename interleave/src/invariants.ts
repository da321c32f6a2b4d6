import { createHash } from 'node:crypto';
import { recordFromAsset, type MediaRecord } from '@holdfast/shared/media';
import type { Effect } from './operations.js';
import type { Subject } from './situations.js';
import { OTHERS_PAIR, type World } from './world.js';

/** What of a record is measured again, and so not carried by the host. */
function lasting({ status, persistence, lastError, ...rest }: MediaRecord): unknown {
  void [status, persistence, lastError];
  return { ...rest, tags: rest.tags.toSorted() };
}

/** What is wrong once everything has settled; empty where every promise was kept. */
export async function findViolations(
  world: World,
  subject: Subject,
  effects: readonly Effect[],
): Promise<string[]> {
  return [
    ...(await ofTheFile(world, subject, effects)),
    ...(await ofCatalogAndHost(world)),
    ...(await ofLeftovers(world)),
  ];
}

/** The promises to everybody who got an answer. */
async function ofTheFile(world: World, subject: Subject, effects: readonly Effect[]): Promise<string[]> {
  const ids = [subject.id, ...effects.map(({ uploadedId }) => uploadedId ?? null)].filter(
    (id) => id !== null,
  );
  const isDeleted =
    subject.isDeleted || effects.some(({ deletes, told }) => deletes === true && told === 'done');
  const mayBeDeleted =
    isDeleted || effects.some(({ deletes, told }) => deletes === true && told === 'unknown');
  const isTakenAway = effects.some(({ takesAssetAway }) => takesAssetAway === true);
  const wrong: string[] = [];
  // A key stays bound to its file; only one that was deleted, by itself or with all of Redis, may start over.
  if (!mayBeDeleted && new Set(ids).size > 1) wrong.push(`one key made several files: ${ids.join(', ')}`);
  for (const id of new Set(ids)) {
    const [record, asset] = await Promise.all([world.b.deps.catalog.find(id), world.assetOf(id)]);
    if (id === subject.id && isDeleted) {
      if (record !== null || asset !== null) wrong.push(`${id} was deleted and is there again`);
      continue;
    }
    if (record === null && asset === null && (mayBeDeleted || isTakenAway)) continue;
    if (record === null) {
      wrong.push(`${id} was acknowledged and is gone from the catalog`);
      continue;
    }
    if (asset === null) {
      if (!isTakenAway || record.status !== 'missing')
        wrong.push(`${id} is ${record.status} without an asset`);
      continue;
    }
    if (record.status !== 'verified') wrong.push(`${id} stays ${record.status}`);
    if (!(await hasBytes(world, asset.assetId, subject.file.content))) wrong.push(`${id} has other bytes`);
    const [key, value] = OTHERS_PAIR;
    if (asset.assetId === subject.othersPairOn && asset.context[key] !== value)
      wrong.push(`${id} lost what others keep on its asset`);
    wrong.push(...ofFields(record, subject, effects));
  }
  return wrong;
}

async function hasBytes({ emulator }: World, assetId: string, content: Buffer): Promise<boolean> {
  const stored = await emulator.assets.bytes(assetId);
  const hash = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
  return stored !== null && hash(stored) === hash(content);
}

/** Each field is what one of its writers set. Where one was answered that it is done, the old value is gone. */
function ofFields(record: MediaRecord, subject: Subject, effects: readonly Effect[]): string[] {
  const isWiped = effects.some(({ wipes }) => wipes === true);
  return (['title', 'description', 'category'] as const).flatMap((name) => {
    const writers = effects.filter(({ fields, told }) => fields?.[name] !== undefined && told !== 'refused');
    const isCertain = writers.some(
      ({ told, isUnpushed }) => told === 'done' && !(isUnpushed === true && isWiped),
    );
    const before = isCertain
      ? []
      : [subject.fields[name] ?? '', ...(isWiped ? [subject.unpushed[name]] : [])];
    const allowed = [...before, ...writers.map(({ fields }) => fields?.[name])];
    return allowed.includes(record[name])
      ? []
      : [`${record.id} has ${name} ${JSON.stringify(record[name])}, not ${JSON.stringify(allowed)}`];
  });
}

/** The catalog says what the host says, and another look changes nothing. */
async function ofCatalogAndHost(world: World): Promise<string[]> {
  const { host, settings } = world.b.deps;
  const wrong: string[] = [];
  const assets = await world.assets();
  const records = new Map((await world.records()).map((record) => [record.id, record]));
  for (const { publicId, resourceType } of assets) {
    const asset = await host.find({ publicId, resourceType });
    if (asset === null) {
      wrong.push(`the host lists ${publicId} and denies it`);
      continue;
    }
    const { id } = recordFromAsset(asset, settings.host.folder, 'sync');
    const record = records.get(id);
    records.delete(id);
    if (record === undefined) {
      wrong.push(`${publicId} has no record`);
      continue;
    }
    // How a foreign asset first came in is not kept on the host.
    const rebuilt = recordFromAsset(asset, settings.host.folder, record.source);
    if (JSON.stringify(lasting(rebuilt)) !== JSON.stringify(lasting(record)))
      wrong.push(
        `${publicId} would be rebuilt as ${JSON.stringify(lasting(rebuilt))}, not ${JSON.stringify(lasting(record))}`,
      );
  }
  for (const { id, status } of records.values())
    if (status !== 'missing') wrong.push(`${id} is ${status} and has no asset`);
  const { created, updated, restored, missing, removed, errors } = await world.sync();
  const changes = { created, updated, restored, missing, removed, errors };
  if (Object.values(changes).some((count) => count > 0))
    wrong.push(`one more sync changes things: ${JSON.stringify(changes)}`);
  return wrong;
}

async function ofLeftovers({ sandbox: { client }, b: { deps } }: World): Promise<string[]> {
  const { keys, catalog } = deps;
  const lists = { intents: keys.intents, unpushed: keys.unpushed };
  const wrong: string[] = [];
  for (const [name, key] of Object.entries(lists)) {
    const members = await client.zrange(key, '0', '-1');
    const found = await Promise.all(members.map((member) => catalog.find(member)));
    // An edit of a file that the host has lost waits for its return.
    const left = members.filter((_, index) => name !== 'unpushed' || found[index]?.status !== 'missing');
    if (left.length > 0) wrong.push(`left in ${name}: ${left.join(', ')}`);
  }
  return wrong;
}
