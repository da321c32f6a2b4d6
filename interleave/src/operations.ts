import { silentLogger } from '@holdfast/foundation/logging';
import { newMediaId } from '@holdfast/shared/media';
import { requestRecovery } from '@holdfast/worker/watch/watch';
import type { Actor, Answer, Told } from './actor.js';
import { editOnHost, json, pathOf, type Fields, type SituationName, type Subject } from './situations.js';
import { unfinished } from './settle.js';
import type { World } from './world.js';

/** What an operation may have changed, by the answer to its caller. */
export interface Effect {
  told: Told;
  fields?: Fields;
  /** Answered 202: in the catalog, and not on the host for certain. */
  isUnpushed?: boolean;
  /** Made on the host, by others. */
  isThere?: true;
  uploadedId?: string | null;
  deletes?: true;
  takesAssetAway?: true;
  wipes?: true;
}

export interface Operation {
  /** Where it means something. */
  in: readonly SituationName[];
  /** One step of somebody else's: there is nothing to stop it at, so it only meets others. */
  isAtomic?: true;
  /** Replaces what stands on the asset by what it read there: an edit on the host in between is lost (docs/interleave.md). */
  rewritesAsset?: true;
  run(actor: Actor, world: World, subject: Subject): Promise<Effect>;
}

const known = ['accepted', 'verified', 'unpushed', 'editedThere', 'foreign'] as const;
const all = ['fresh', 'freshLarge', ...known, 'deleting'] as const;

const edit =
  (fields: Fields): Operation['run'] =>
  async (actor, _world, subject) => {
    const { told, status } = await actor.call('PATCH', pathOf(subject), json(fields));
    return { told, fields, isUnpushed: status === 202 };
  };

const editThere =
  (fields: Fields): Operation['run'] =>
  async (_actor, world, subject) => {
    await editOnHost(world, subject, fields);
    return { told: 'done', fields, isThere: true };
  };

const sync =
  (mode: 'full' | 'incremental'): Operation['run'] =>
  async (actor) => {
    const options = { trigger: 'manual', mode, runId: newMediaId(), dryRun: false, force: true } as const;
    return { told: await actor.runJob('sync', options) };
  };

/** Everything that may happen to a file at the same time as something else. */
export const operations = {
  upload: {
    in: ['fresh', 'freshLarge', 'accepted', 'verified', 'deleting'],
    run: async (actor, world, { file }) => {
      const { told, body }: Answer = await world.upload(actor, file);
      return { told, uploadedId: told === 'done' ? (body.media.id as string) : null };
    },
  },
  editTitle: { in: known, rewritesAsset: true, run: edit({ title: 'here' }) },
  editCategory: { in: known, rewritesAsset: true, run: edit({ category: 'c-here' }) },
  delete: {
    in: [...known, 'deleting'],
    run: async (actor, _world, subject) => {
      const { told } = await actor.call('DELETE', pathOf(subject));
      return { told, deletes: true };
    },
  },
  saveAndVerify: {
    in: ['accepted'],
    run: async (actor, { b }, { id }) => {
      const record = await b.deps.catalog.find(id ?? '');
      if (record === null) return { told: 'refused' };
      await actor.runJob('save', { record, round: 0 });
      return { told: await actor.runJob('verify', { record, round: 0 }) };
    },
  },
  push: {
    in: ['unpushed', 'verified'],
    rewritesAsset: true,
    run: async (actor, { b }, { id }) => {
      const record = await b.deps.catalog.find(id ?? '');
      if (record === null) return { told: 'refused' };
      return { told: await actor.runJob('push', { id: record.id, revision: record.revision, round: 0 }) };
    },
  },
  remove: {
    in: ['deleting'],
    run: async (actor, { b }, { id }) => {
      const record = await b.deps.catalog.find(id ?? '');
      if (record === null) return { told: 'refused' };
      const { publicId, resourceType } = record;
      return { told: await actor.runJob('remove', { id: record.id, publicId, resourceType, round: 0 }) };
    },
  },
  refresh: {
    in: [...known, 'deleting'],
    run: async (actor, { b }, { id }) => {
      const record = await b.deps.catalog.find(id ?? '');
      if (record === null) return { told: 'refused' };
      const { publicId, resourceType, assetId, hostVersion: version } = record;
      const told = await actor.runJob('refresh', {
        notification: newMediaId(),
        part: 0,
        change: 'changed',
        receivedAt: Date.now(),
        assets: [{ publicId, resourceType, assetId, version }],
      });
      return { told };
    },
  },
  fullSync: { in: all, rewritesAsset: true, run: sync('full') },
  incrementalSync: { in: all, rewritesAsset: true, run: sync('incremental') },
  sweep: {
    in: all,
    run: async (actor, world) => {
      const told = await unfinished(actor, world).then(
        () => 'done' as const,
        () => 'unknown' as const,
      );
      return { told };
    },
  },
  titleThere: { in: known, isAtomic: true, run: editThere({ title: 'on the host' }) },
  descriptionThere: { in: known, isAtomic: true, run: editThere({ description: 'on the host' }) },
  renameThere: {
    in: known,
    isAtomic: true,
    run: async (_actor, world, { id }) => {
      const asset = await world.assetOf(id ?? '');
      if (asset !== null) await world.emulator.assets.rename(asset.assetId, 'moved/away', { quiet: true });
      return { told: 'done' };
    },
  },
  removeThere: {
    in: known,
    isAtomic: true,
    run: async (_actor, world, { id }) => {
      const asset = await world.assetOf(id ?? '');
      if (asset !== null) await world.emulator.assets.remove(asset.assetId, { quiet: true });
      return { told: 'done', takesAssetAway: true };
    },
  },
  wipe: {
    in: all,
    isAtomic: true,
    run: async (_actor, { sandbox, b: { deps } }) => {
      await sandbox.client.flushall();
      await requestRecovery({ ...deps, log: silentLogger });
      return { told: 'done', wipes: true };
    },
  },
} satisfies Record<string, Operation>;

export type OperationName = keyof typeof operations;

/** Those that mean something in a situation. */
export function operationsIn(situation: SituationName, which: 'all' | 'stoppable'): OperationName[] {
  return (Object.entries(operations) as [OperationName, Operation][])
    .filter(([, operation]) => operation.in.includes(situation))
    .filter(([, { isAtomic }]) => which === 'all' || isAtomic !== true)
    .map(([name]) => name);
}
