import { describeMediaHost } from '../media-host.contract.js';
import { emulatedHost } from '../testing/emulated-host.js';

describeMediaHost('Cloudinary', async () => {
  const { emulator, host } = await emulatedHost();
  return {
    host,
    bytesOf: async (asset) => Buffer.from(await (await fetch(asset.url)).arrayBuffer()),
    leftovers: async () => {
      const { inFlight } = await emulator.requests.counters();
      return inFlight === 0 ? [] : [`${String(inFlight)} requests in flight`];
    },
  };
});
