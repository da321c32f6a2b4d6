import type { EmulatorControl } from '@holdfast/cloudinary-emulator';

/** Puts assets on the host that look as if they had been uploaded through Holdfast. */
export async function seedHost(host: EmulatorControl, count: number): Promise<void> {
  await host.assets.seed(count, {
    publicId: 'holdfast/{ulid}',
    format: 'jpg',
    bytes: 100_000,
    tags: ['sea', 'summer'],
    context: {
      hf: '1',
      hf_id: '{ulid}',
      hf_rev: '1',
      hf_src: 'upload',
      hf_created: '{createdMs}',
      hf_updated: '{createdMs}',
      hf_sha256: '{sha256}',
      hf_md5: '{md5}',
      hf_name: 'IMG_{n:6}.jpg',
      hf_by: 'web',
      title: 'Harbour at dawn {n}',
      category: 'nature',
    },
  });
}
