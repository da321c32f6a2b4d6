import { describe } from 'vitest';
import { breaking } from './testing/breaking-contract.js';
import { describing } from './testing/describing-contract.js';
import { filing } from './testing/filing-contract.js';
import { listing } from './testing/listing-contract.js';
import type { SetUpHost } from './testing/put-request.js';
import { storing } from './testing/storing-contract.js';

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
