import { isIP } from 'node:net';

/** Whether only this machine can reach what listens on this name or address. An IPv6 address comes without brackets. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}
