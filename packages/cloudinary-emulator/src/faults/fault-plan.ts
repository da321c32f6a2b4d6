import type { Fault, FaultKind, PlannedFault } from './fault.js';

/** What a fault may be matched by. */
export interface FaultTarget {
  endpoint: string;
  publicId: string;
  resourceType: string;
}

/** The faults of an emulator, in the order they were added. */
export interface FaultPlan {
  add(fault: Fault): PlannedFault;
  list(): PlannedFault[];
  /** Without an id: all of them. */
  clear(id?: string): void;
  /** The fault that hits this request; the first one that still has hits left. */
  take(target: FaultTarget): Fault | null;
}

export function faultPlan(): FaultPlan {
  let planned: PlannedFault[] = [];
  let added = 0;
  return {
    add(fault) {
      added += 1;
      const entry = { id: `fault-${added}`, fault, seen: 0, hits: 0 };
      planned.push(entry);
      return { ...entry };
    },
    list: () => planned.map((entry) => ({ ...entry })),
    clear(id) {
      planned = id === undefined ? [] : planned.filter((entry) => entry.id !== id);
    },
    take(target) {
      for (const entry of planned) {
        const { fault } = entry;
        const count = fault.count === undefined ? 1 : (fault.count ?? Infinity);
        if (entry.hits >= count || !matches(fault, target)) continue;
        entry.seen += 1;
        if (entry.seen <= (fault.skip ?? 0)) continue;
        entry.hits += 1;
        return fault;
      }
      return null;
    },
  };
}

/** Where kinds act that mean nothing elsewhere; so that no other request uses up their hits. */
const usualEndpoints: Partial<Record<FaultKind, string[]>> = {
  corrupt: ['upload'],
  'slow-body': ['upload'],
  'reset-body': ['upload'],
  'short-listing': ['list', 'list-by-tag', 'list-by-context', 'list-by-asset-folder', 'search'],
};

function matches({ kind, match = {} }: Fault, target: FaultTarget): boolean {
  const { endpoint = usualEndpoints[kind], publicId, resourceType } = match;
  if (endpoint !== undefined && ![endpoint].flat().includes(target.endpoint)) return false;
  if (resourceType !== undefined && resourceType !== target.resourceType) return false;
  if (publicId === undefined) return true;
  return publicId.endsWith('*')
    ? target.publicId.startsWith(publicId.slice(0, -1))
    : target.publicId === publicId;
}
