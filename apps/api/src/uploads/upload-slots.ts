/** How many uploads this process carries at once. */
export interface UploadSlots {
  readonly running: number;
  /** Whether one more would be too many. */
  readonly full: boolean;
  /** Takes a slot; null when all are taken. The function gives it back, once however often it is called. */
  take(): (() => void) | null;
}

export function createUploadSlots(max: number): UploadSlots {
  let running = 0;
  return {
    get running() {
      return running;
    },
    get full() {
      return running >= max;
    },
    take: () => {
      if (running >= max) return null;
      running += 1;
      let taken = true;
      return () => {
        if (taken) running -= 1;
        taken = false;
      };
    },
  };
}
