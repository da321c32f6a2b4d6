/**
 * Plays one attack until it gets the signal to stop (a message, or the end of its parent): a process of its own, so that what it does is not
 * in the way of the clients beside it. `node attacker.js <index of the attack> <port> <secret, or nothing>`.
 */
import { createAttacker } from '../attacks/attacker.js';
import { attacks } from '../attacks/attacks.js';

const [, , index = '', port = '', secret = ''] = process.argv;
const attacker = createAttacker(Number(port), secret === '' ? null : secret);
process.once('message', () => {
  process.send?.(attacker.answers, () => process.exit(0));
});
process.once('disconnect', () => process.exit(0));
await attacks[Number(index)]?.start(attacker);
