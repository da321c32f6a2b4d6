import { Agent } from 'node:http';
import type { UploadApiOptions, UploadApiResponse } from 'cloudinary';
import type { EmulatorControl } from '../control/emulator-control.js';

/** Credentials and address as options of a single SDK call. */
export interface CallOptions {
  cloud_name: string;
  api_key: string;
  api_secret: string;
  upload_prefix: string;
}

export type Sdk = Awaited<ReturnType<typeof sdkFor>>;

/**
 * The unmodified SDK, pointed at an emulator by the options of each call. It picks http or https once, at
 * its import, from the environment; that is why it is imported only here, after the address is set.
 */
export async function sdkFor(emulator: Pick<EmulatorControl, 'cloudinaryUrl' | 'url'>) {
  process.env['CLOUDINARY_URL'] ??= emulator.cloudinaryUrl;
  const { v2: cloudinary } = await import('cloudinary');
  const { username, password, hostname } = new URL(emulator.cloudinaryUrl);
  const account: CallOptions = {
    cloud_name: hostname,
    api_key: username,
    api_secret: password,
    upload_prefix: emulator.url,
  };
  return {
    cloudinary,
    account,
    /** `uploader.upload_stream` of a buffer, over a connection of its own. */
    upload(bytes: Buffer, options: UploadApiOptions = {}): Promise<UploadApiResponse> {
      const agent = new Agent({ keepAlive: false });
      return new Promise<UploadApiResponse>((resolve, reject) => {
        const sink = cloudinary.uploader.upload_stream({ ...account, ...options, agent }, (error, result) => {
          if (result !== undefined && error === undefined) resolve(result);
          else reject(asError(error));
        });
        sink.on('error', () => undefined);
        sink.end(bytes);
      }).finally(() => agent.destroy());
    },
  };
}

/** The SDK rejects with plain objects; tests read `message` and `http_code`. */
export function asError(error: unknown): Error & { http_code?: number } {
  if (error instanceof Error) return error;
  const { message } = error as { message: string };
  return Object.assign(new Error(message), error);
}
