import { note, NotRun, ok, REPORT, wrong, type Probe } from './probe.js';
import { theImage } from './file-probes.js';
import { asRecord } from './raw-answers.js';
import { askUntil, removeMade, type AccountTrial } from './trial.js';

export const deleteProbe: Probe<AccountTrial> = {
  name: 'Delete',
  expected: 'gone, then not found',
  fix: REPORT,
  run: async (trial) => {
    const { account, signal } = trial;
    const image = theImage(trial);
    if ((await account.host.remove(image, signal)) !== 'removed')
      return wrong('not found at the first time', 'Deleted files could stay.');
    const before = account.replies.length;
    const stays = (await account.host.find(image, signal)) !== null;
    const backup = account.replies.slice(before).some((reply) => asRecord(reply)['placeholder'] === true);
    const confirmed = await askUntil(
      trial,
      () => account.host.confirm([image.assetId], signal),
      ({ assets }) => assets.length === 0,
    );
    if (stays || confirmed.assets.length > 0)
      return wrong('still there', 'Deleted files look as if they came back.');
    if ((await account.host.remove(image, signal)) !== 'absent')
      return wrong('removed twice', 'A file that is gone is not told from one that is there.');
    return backup ? note('gone, with a backup', 'Holdfast takes a backup for no file.') : ok('gone');
  },
};

/** The last one, run whatever came before. */
export const cleanUpProbe: Probe<AccountTrial> = {
  name: 'Clean-up',
  expected: 'nothing is left',
  fix: 'Run doctor again in ten minutes: it removes what is left.',
  run: async (trial) => {
    const files = trial.made.length + (trial.madeFile ? 1 : 0);
    if (files === 0) throw new NotRun('nothing was uploaded');
    const left = await removeMade(trial);
    return left.length === 0 ? ok('nothing') : wrong(left.join(', '), 'Syncs leave these files alone.');
  },
};
