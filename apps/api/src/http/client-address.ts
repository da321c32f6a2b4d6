import type { Request } from 'express';
import ipaddr from 'ipaddr.js';
import { contextOf } from './request-context.js';

/** What a provider gives to one client of IPv6, at least; such a client may take another address for each request. */
const IPV6_PARTS = 4;

/** Who counts as one client: a key, and where there is none an address. */
export function clientOf(req: Request): string {
  const { client } = contextOf(req);
  return client.via === 'anonymous' ? `address-${addressOf(req)}` : `key-${client.name}`;
}

/** The address that a request comes from, as TRUST_PROXY tells it. */
export const addressOf = (req: Request): string => nameOfAddress(req.ip ?? '');

/** One name for all notations and, with IPv6, all addresses of one client; what is no address is `unknown`. */
export function nameOfAddress(address: string): string {
  const bare = withoutPort(address);
  if (!ipaddr.isValid(bare)) return 'unknown';
  // An IPv4 address inside an IPv6 one comes out as IPv4.
  const parsed = ipaddr.process(bare);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, IPV6_PARTS).map((part) => part.toString(16));
  return `${network.join(':')}::/64`;
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(address: string): string {
  const inBrackets = /^\[(.+)\](?::\d+)?$/.exec(address)?.[1];
  return inBrackets ?? address.replace(/^([\d.]+):\d+$/, '$1');
}
