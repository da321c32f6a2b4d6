/** Waits; an emulator that is being closed does not hold its process open for it. */
export function waitMs(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
