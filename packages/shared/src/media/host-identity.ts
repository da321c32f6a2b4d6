/**
 * Which media host a catalog or an asset belongs to. Another cloud is another host; another folder, prefix, key or address of
 * the API on the same cloud is not.
 */
export type HostIdentity = 'local' | `cloudinary:${string}`;

/** `https://<any name>/<cloud>/<type>/upload/…`. */
const SHARED_CDN = /^https?:\/\/[^/]+\/([A-Za-z0-9_-]+)\/(?:image|video|raw)\/upload\//;
/** `https://<cloud>-res.cloudinary.com/<type>/upload/…`. */
const PRIVATE_CDN = /^https?:\/\/([A-Za-z0-9_-]+)-res\.cloudinary\.com\//;

/** The host that serves this address of an asset; null where it does not tell, as with a domain of the account's own. */
export function hostOfUrl(url: string): HostIdentity | null {
  if (url.startsWith('/media/')) return 'local';
  const cloudName = SHARED_CDN.exec(url)?.[1] ?? PRIVATE_CDN.exec(url)?.[1];
  return cloudName === undefined ? null : `cloudinary:${cloudName}`;
}

/** True where the address of an asset names another host than this one. */
export function isOnAnotherHost(url: string, identity: HostIdentity): boolean {
  const host = hostOfUrl(url);
  return host !== null && host !== identity;
}
