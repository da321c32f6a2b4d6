/** The result, or `late` when it takes longer. A rejection before that passes through; one after it is of no interest. */
export async function withinMs<T, L>(milliseconds: number, work: Promise<T>, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  work.catch(() => undefined);
  try {
    return await Promise.race([
      work,
      new Promise<L>((resolve) => {
        timer = setTimeout(() => resolve(late), milliseconds);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
