import type { AddressInfo } from 'node:net';

/** Where clients reach this API, without a slash at the end. */
export interface PublicAddress {
  url(): string;
  /** Tells the port that was really bound. */
  boundTo(address: AddressInfo): void;
}

/** PUBLIC_URL where it is set, else the address that the server listens on. */
export function createPublicAddress(http: {
  host: string;
  port: number;
  publicUrl: string | undefined;
}): PublicAddress {
  let { port } = http;
  const anywhere = http.host === '0.0.0.0' || http.host === '::';
  const name = anywhere ? 'localhost' : http.host.includes(':') ? `[${http.host}]` : http.host;
  return {
    url: () => http.publicUrl ?? `http://${name}:${String(port)}`,
    boundTo: (address) => {
      ({ port } = address);
    },
  };
}
