import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { newMediaId, writeHostMetadata, type CarriedFields } from '../../media/index.js';
import { onePixelPng } from '../../testing/index.js';
import { emulatedHost } from '../testing/emulated-host.js';
import { md5, putRequest } from '../testing/put-request.js';

/** A new media with this title, and what an upload of it sends. */
function upload(over: Partial<CarriedFields> = {}) {
  const fields: CarriedFields = {
    id: newMediaId(),
    revision: 1,
    filename: 'photo.png',
    title: '',
    description: '',
    category: '',
    tags: [],
    uploadedBy: 'web',
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    source: 'upload',
    checksum: { sha256: null, md5: md5(onePixelPng) },
    durationSeconds: null,
    ...over,
  };
  const carried = { mark: { state: 'committed' }, fields } as const;
  const ref = { publicId: `holdfast/${fields.id}`, resourceType: 'image' } as const;
  return { carried, request: putRequest({ ref, metadata: writeHostMetadata(carried) }) };
}

type Emulated = Awaited<ReturnType<typeof emulatedHost>>;
const { metadata } = upload().request;
/** Whether clients are asked to send a folder and a name. */
const placesUploads = async ({ host }: Pick<Emulated, 'host'>): Promise<boolean> => {
  const { fields } = await host.signUpload({ publicId: 'a', resourceType: 'image', metadata, timestamp: 1 });
  expect('asset_folder' in fields).toBe('display_name' in fields);
  return 'asset_folder' in fields;
};
const shown = async ({ emulator }: Emulated, publicId: string) => {
  const asset = await emulator.assets.get('image', publicId);
  return [asset?.assetFolder, asset?.displayName];
};

/** What an edit makes of the asset that is there: one read, one write. */
async function edit({ host }: Emulated, { request, carried }: ReturnType<typeof upload>, title: string) {
  const there = await host.find(request.ref);
  if (there === null) throw new Error('the asset is gone');
  const fields = { ...carried.fields, title };
  await host.annotate(request.ref, writeHostMetadata({ ...carried, fields }, there));
}

describe('in an account with dynamic folders', () => {
  it.each([
    ['its title', { title: 'Sunset' }, 'Sunset'],
    ['its file name where it has no title', {}, 'photo.png'],
    ['what a name may have of a title', { title: ' a/b\\c?d&e#f%g<h>i+j\n' }, 'a-b-c-d-e-f-g-h-i-j'],
    ['as much of a title as fits', { title: 'x'.repeat(500) }, 'x'.repeat(255)],
  ])('an upload is in our folder, under %s, in one call', async (_case, over, name) => {
    const at = await emulatedHost();
    const { request } = upload(over);
    await at.host.put(request);
    expect(await shown(at, request.ref.publicId)).toEqual(['holdfast', name]);
    expect((await at.emulator.requests.counters()).total).toBe(1);
  });

  it('an upload that cannot be sent twice gets its name with its commit mark', async () => {
    const at = await emulatedHost();
    const one = upload();
    const { publicId } = one.request.ref;
    await at.host.put({ ...one.request, body: Readable.from([onePixelPng]) });
    // Its name might be refused, and the whole stream with it.
    expect(await shown(at, publicId)).toEqual(['holdfast', one.carried.fields.id]);
    await edit(at, one, 'Title');
    expect(await shown(at, publicId)).toEqual(['holdfast', 'Title']);
  });

  it('the name follows the title until somebody changes it in the console', async () => {
    const at = await emulatedHost();
    const one = upload({ title: 'First' });
    const { publicId } = one.request.ref;
    const { asset } = await at.host.put(one.request);
    await at.emulator.assets.edit(asset.assetId, { assetFolder: 'elsewhere' });
    await edit(at, one, 'Second');
    expect(await shown(at, publicId)).toEqual(['elsewhere', 'Second']);
    await edit(at, one, '');
    expect(await shown(at, publicId)).toEqual(['elsewhere', 'photo.png']);
    await at.emulator.assets.edit(asset.assetId, { displayName: 'Theirs' });
    await edit(at, one, 'Third');
    await edit(at, one, 'Fourth');
    expect(await shown(at, publicId)).toEqual(['elsewhere', 'Theirs']);
  });

  it('an asset that version 0.1.0 uploaded is named with its next edit', async () => {
    const at = await emulatedHost();
    const one = upload({ title: 'First' });
    const { 'hf-shown': _shown, ...context } = one.request.metadata.context;
    await at.host.put({ ...one.request, metadata: { context, tags: [] } });
    expect(await shown(at, one.request.ref.publicId)).toEqual(['', one.carried.fields.id]);
    await edit(at, one, 'Second');
    expect(await shown(at, one.request.ref.publicId)).toEqual(['', 'Second']);
  });

  it('an asset of others keeps its place and its name', async () => {
    const at = await emulatedHost();
    const { assetId } = await at.emulator.assets.put({
      publicId: 'cats/tom',
      resourceType: 'image',
      content: onePixelPng,
    });
    const one = upload({ id: `cld-${assetId}` });
    const foreign = {
      ...one,
      request: { ...one.request, ref: { publicId: 'cats/tom', resourceType: 'image' } as const },
    };
    await edit(at, foreign, 'Ours');
    expect(await shown(at, 'cats/tom')).toEqual(['', 'tom']);
  });

  it('a file that is not an asset is in a folder of its own', async () => {
    const at = await emulatedHost();
    await at.host.putFile('backups/holdfast/a.1', Buffer.from('a'));
    expect(await at.emulator.assets.get('raw', 'backups/holdfast/a.1', 'authenticated')).toMatchObject({
      assetFolder: 'backups/holdfast',
      displayName: 'a.1',
    });
  });

  it('a name that the account refuses costs neither the upload nor the names of later ones', async () => {
    const at = await emulatedHost();
    const refused = {
      kind: 'error',
      status: 400,
      message: 'Bad name',
      match: { endpoint: 'upload' },
    } as const;
    await at.emulator.faults.add(refused);
    await at.host.put(upload().request);
    await at.emulator.faults.add({ ...refused, skip: 1 });
    for (let n = 0; n < 2; n += 1) {
      const { request } = upload();
      await at.host.put(request);
      const place = n === 0 ? ['holdfast', 'photo.png'] : ['', request.ref.publicId.slice(9)];
      expect(await shown(at, request.ref.publicId)).toEqual(place);
    }
  });

  it('a client that wants to upload does not wait long for a silent account', async () => {
    const { emulator, host } = await emulatedHost(
      {},
      { timeouts: { callMs: 100, pageMs: 60_000, uploadIdleMs: 60_000 } },
    );
    await emulator.faults.add({ kind: 'silence', ms: 60_000, match: { endpoint: 'config' } });
    expect(await placesUploads({ host })).toBe(true);
  }, 10_000);

  it('an upload that is refused for another reason does not change what is sent', async () => {
    const at = await emulatedHost();
    const broken = { ...upload().request, body: Buffer.from('not an image') };
    await expect(at.host.put(broken)).rejects.toMatchObject({ code: 'HOST_REJECTED' });
    const { request } = upload();
    await at.host.put(request);
    expect(await shown(at, request.ref.publicId)).toEqual(['holdfast', 'photo.png']);
    expect(await placesUploads(at)).toBe(true);
    expect(at.host.meteredCalls()).toBe(0);
  });
});

it('a stream that breaks before it is read ends its upload, and nothing else', async () => {
  const { emulator, host } = await emulatedHost({}, { timeouts: { callMs: 100 } });
  await emulator.faults.add({ kind: 'silence', ms: 60_000, match: { endpoint: 'config' } });
  const body = new Readable({ read: () => undefined });
  const put = host.put({ ...upload().request, body });
  body.destroy(new Error('ECONNRESET'));
  await expect(put).rejects.toMatchObject({ code: 'CLIENT_ABORTED' });
});

describe.each(['ignore', 'refuse'] as const)(
  'in an account with fixed folders that %ss both',
  (fixedFolders) => {
    it('uploads and edits go on, and what was refused is not sent again', async () => {
      const warn = vi.fn<(event: string) => void>();
      const log = { trace: warn, debug: warn, info: warn, warn, error: warn, fatal: warn } as never;
      const at = await emulatedHost({ folderMode: 'fixed', fixedFolders }, { log });
      for (let n = 0; n < 3; n += 1) {
        const one = upload({ title: 'First' });
        await at.host.put(n === 1 ? { ...one.request, body: Readable.from([onePixelPng]) } : one.request);
        await edit(at, one, 'Second');
        expect((await at.host.find(one.request.ref))?.context['title']).toBe('Second');
      }
      const { byStatus } = await at.emulator.requests.counters();
      expect(byStatus).toEqual(fixedFolders === 'refuse' ? { 200: 12, 400: 1 } : { 200: 12 });
      const refused = warn.mock.calls.filter(([event]) => event === 'host.placement_refused');
      expect(refused).toHaveLength(fixedFolders === 'refuse' ? 1 : 0);
      expect(await placesUploads(at)).toBe(false);
      expect(at.host.meteredCalls()).toBe(0);
    });

    it('a stream that comes before anything else is stored, though it cannot be sent twice', async () => {
      const { host } = await emulatedHost({ folderMode: 'fixed', fixedFolders });
      const body = Readable.from([onePixelPng]);
      expect(await host.put({ ...upload().request, body })).toMatchObject({ existed: false });
      expect(host.meteredCalls()).toBe(1);
    });

    it('clients are asked to send neither, also before anything was uploaded', async () => {
      const { host } = await emulatedHost({ folderMode: 'fixed', fixedFolders });
      expect(await placesUploads({ host })).toBe(false);
      expect(await placesUploads({ host })).toBe(false);
      expect(host.meteredCalls()).toBe(1);
    });
  },
);
