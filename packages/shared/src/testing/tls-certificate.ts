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
const newCertificate = (subject: string, certificate: string, key: string): string[] => [
  ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2'.split(' '),
  '-subj',
  subject,
  '-out',
  certificate,
  '-keyout',
  key,
];

/** What is wrong with the certificate of the servers. */
export interface TlsFaults {
  /** It is signed by itself, not by the authority. */
  selfSigned?: boolean;
  /** It ended years ago. */
  expired?: boolean;
  /** As in `subjectAltName` of openssl; the loopback address by default. */
  names?: string;
}

/** Makes them with openssl (3.4 or newer), in `directory`. */
export async function makeTlsFiles(
  directory: string,
  { selfSigned = false, expired = false, names = 'DNS:localhost,IP:127.0.0.1' }: TlsFaults = {},
): Promise<TlsFiles> {
  const inDirectory = (name: string): string => join(directory, name);
  const [ca, caKey] = [inDirectory('ca.pem'), inDirectory('ca-key.pem')];
  const [certificate, key] = [inDirectory('server.pem'), inDirectory('server-key.pem')];
  await openssl(newCertificate('/CN=a test', ca, caKey));
  await openssl([
    ...newCertificate('/CN=localhost', certificate, key),
    ...(selfSigned ? [] : ['-CA', ca, '-CAkey', caKey]),
    ...(expired ? ['-not_before', '20200101000000Z', '-not_after', '20210101000000Z'] : []),
    '-addext',
    'basicConstraints=critical,CA:FALSE',
    '-addext',
    `subjectAltName=${names}`,
  ]);
  return { ca, certificate, key, client: { ca: await readFile(ca) } };
}

/** Arguments of a server that speaks nothing but TLS, also to other servers. */
export function tlsArgs(port: number, { ca, certificate, key }: TlsFiles): string[] {
  const files = ['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', ca];
  const rules = '--port 0 --tls-auth-clients no --tls-replication yes --tls-cluster yes'.split(' ');
  return [...rules, '--tls-port', String(port), ...files];
}
