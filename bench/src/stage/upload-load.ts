import { uploadClient } from './upload-client.js';

/** Lets `clients` upload one file after the other for `ms` milliseconds; the number of uploads that were answered. */
export async function uploadFor(
  ms: number,
  clients: number,
  address: string,
  fileBytes: number,
): Promise<number> {
  const end = performance.now() + ms;
  let count = 0;
  const work = async (): Promise<void> => {
    const client = uploadClient(address, fileBytes);
    try {
      while (performance.now() < end) {
        await client.upload();
        count += 1;
      }
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
  return count;
}
