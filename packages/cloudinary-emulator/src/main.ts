#!/usr/bin/env node
import { optionsFromEnv } from './options-from-env.js';
import { startCloudinaryEmulator } from './start-cloudinary-emulator.js';

const { options, seed } = optionsFromEnv(process.env);
const emulator = await startCloudinaryEmulator(options);
// A restarted emulator that kept its assets has its seed already.
if (seed.count > 0 && (await emulator.assets.count()) === 0)
  await emulator.assets.seed(seed.count, seed.template);
process.stdout.write(
  `cloudinary-emulator ready at ${emulator.url}\nCLOUDINARY_URL=${emulator.cloudinaryUrl}\n`,
);

const stop = () => void emulator.close();
process.once('SIGTERM', stop);
process.once('SIGINT', stop);
