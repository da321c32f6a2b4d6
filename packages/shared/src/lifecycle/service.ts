/** Anything long-lived: a server, a worker, a timer, a connection. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  /** Refuses new work; resolves once drained, or cut short once `deadline` aborts. Safe twice, and before start. */
  stop(deadline: AbortSignal): Promise<void>;
}

/** A service from two functions; starting or stopping again while it is under way shares the first promise. */
export function service(
  name: string,
  parts: { start?: () => Promise<void> | void; stop?: (deadline: AbortSignal) => Promise<void> | void },
): Service {
  let starting: Promise<void> | undefined;
  let stopping: Promise<void> | undefined;
  return {
    name,
    start: () => (starting ??= (async () => parts.start?.())()),
    stop: (deadline) =>
      (stopping ??= (async () => {
        if (starting === undefined && parts.start !== undefined) return;
        await starting?.catch(() => undefined);
        await parts.stop?.(deadline);
      })()),
  };
}
