import { readings } from '@holdfast/cloudinary-emulator';
import { describeMediaHost } from '../testing/media-host-contract.js';
import { emulatedHost } from '../testing/emulated-host.js';

// What is not known for sure of the real host must not matter.
for (const [name, settings] of Object.entries(readings))
  describeMediaHost(`Cloudinary, ${name}`, async () => {
    const { emulator, host } = await emulatedHost(settings);
    return {
      host,
      bytesOf: async (asset) => Buffer.from(await (await fetch(asset.url)).arrayBuffer()),
      leftovers: async () => {
        const { inFlight } = await emulator.requests.counters();
        return inFlight === 0 ? [] : [`${String(inFlight)} requests in flight`];
      },
    };
  });
