import type { HostBudget } from './media-host.js';

/** Whether a metered call is to be left to syncs: they need the second half of the budget, and see the same in the end. */
export function isHalfSpent(budget: HostBudget | null): boolean {
  return budget !== null && budget.remaining < budget.limit / 2;
}
