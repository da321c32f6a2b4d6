import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Files in PEM: an authority made for one test, and what it signed for servers on the loopback address. */
export interface TlsFiles {
  ca: string;
  certificate: string;
  key: string;
  /** What a client needs to believe these servers. */
  client: { ca: Buffer };
}

const openssl = (args: readonly string[]) => promisify(execFile)('openssl', args);
const newKey = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' ');

/** Makes them with openssl, in `directory`. */
export async function makeTlsFiles(directory: string): Promise<TlsFiles> {
  const [ca, caKey] = [join(directory, 'ca.pem'), join(directory, 'ca-key.pem')];
  const [certificate, key] = [join(directory, 'server.pem'), join(directory, 'server-key.pem')];
  await openssl([...newKey, '-subj', '/CN=a test', '-keyout', caKey, '-out', ca]);
  await openssl([
    ...[...newKey, '-subj', '/CN=localhost', '-keyout', key, '-out', certificate],
    ...['-CA', ca, '-CAkey', caKey, '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]);
  return { ca, certificate, key, client: { ca: await readFile(ca) } };
}

/** Arguments of a server that speaks nothing but TLS, also to other servers. */
export function tlsArgs(port: number, { ca, certificate, key }: TlsFiles): string[] {
  return [
    ...['--port', '0', '--tls-port', String(port), '--tls-auth-clients', 'no'],
    ...['--tls-replication', 'yes', '--tls-cluster', 'yes'],
    ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', ca],
  ];
}
