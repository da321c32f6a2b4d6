/** Who must know of every child that runs, so that none outlives the launcher. */
export interface ProcessRegistry {
  add(role: string, pid: number): void;
  remove(pid: number): void;
}

/** The role of the process that everything else stands on; it is ended last. */
export const REDIS_ROLE = 'redis';

/** Tells every one of them. */
export function registerWith(...registries: readonly ProcessRegistry[]): ProcessRegistry {
  return {
    add: (role, pid) => {
      for (const one of registries) one.add(role, pid);
    },
    remove: (pid) => {
      for (const one of registries) one.remove(pid);
    },
  };
}
