/** What a server can confirm of a write, from weak to strong. */
export const durabilityLevels = ['written', 'fsynced', 'replicated'] as const;
/** written: the server took it; fsynced: it is on its disk; replicated: enough replicas have it. */
export type DurabilityLevel = (typeof durabilityLevels)[number];

/** Whether less was confirmed than is required; without a requirement every level suffices. */
export function isBelow(level: DurabilityLevel, required: DurabilityLevel | undefined): boolean {
  return required !== undefined && durabilityLevels.indexOf(level) < durabilityLevels.indexOf(required);
}
