import { describe } from 'vitest';
import { breaking } from './breaking-contract.js';
import { describing } from './describing-contract.js';
import { filing } from './filing-contract.js';
import { listing } from './listing-contract.js';
import type { SetUpHost } from './put-request.js';
import { storing } from './storing-contract.js';

/** What every media host does, whatever is behind it. */
export function describeMediaHost(name: string, setup: SetUpHost): void {
  describe(`media host: ${name}`, () => {
    storing(setup);
    describing(setup);
    listing(setup);
    filing(setup);
    breaking(setup);
  });
}
