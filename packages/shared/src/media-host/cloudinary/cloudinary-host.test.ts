import type { EmulatorOptions } from '@holdfast/cloudinary-emulator';
import { describe } from 'vitest';
import { describeMediaHost } from '../testing/media-host-contract.js';
import { describing } from '../testing/describing-contract.js';
import { emulatedHost } from '../testing/emulated-host.js';
import type { SetUpHost } from '../testing/put-request.js';

const setUp =
  (emulated: EmulatorOptions = {}): SetUpHost =>
  async () => {
    const { emulator, host } = await emulatedHost(emulated);
    return {
      host,
      bytesOf: async (asset) => Buffer.from(await (await fetch(asset.url)).arrayBuffer()),
      leftovers: async () => {
        const { inFlight } = await emulator.requests.counters();
        return inFlight === 0 ? [] : [`${String(inFlight)} requests in flight`];
      },
    };
  };

describeMediaHost('Cloudinary', setUp());
describe('media host: Cloudinary, where explicit adds to what is there', () => {
  describing(setUp({ explicitEdits: 'merges' }));
});
