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
  await uploadWhile(() => performance.now() < end && (count += 1) > 0, clients, address, fileBytes);
  return count;
}

/** The same for a number of uploads. */
export async function uploadCount(
  count: number,
  clients: number,
  address: string,
  fileBytes: number,
): Promise<void> {
  let begun = 0;
  await uploadWhile(() => (begun += 1) <= count, clients, address, fileBytes);
}

async function uploadWhile(
  isMore: () => boolean,
  clients: number,
  address: string,
  fileBytes: number,
): Promise<void> {
  const work = async (): Promise<void> => {
    const client = uploadClient(address, fileBytes);
    try {
      while (isMore()) await client.upload();
    } finally {
      client.close();
    }
  };
  await Promise.all(Array.from({ length: clients }, work));
}
