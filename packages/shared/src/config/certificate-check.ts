import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { FieldProblem } from '../errors/index.js';
import type { Variables } from './variables.js';

/** How the certificate of a Redis that speaks TLS is checked. */
export interface CertificateCheck {
  /** The authorities that are trusted, in PEM, instead of those that Node trusts. */
  ca?: string;
  /** False: every certificate is accepted. */
  verifiesCertificate: boolean;
}

/** Reads the file too, so that one that cannot be used is reported at the start. */
export function readCertificateCheck(
  { REDIS_TLS_CA: file, REDIS_TLS_VERIFY: verifiesCertificate }: Variables,
  tls: boolean,
  problem: (p: FieldProblem) => void,
): CertificateCheck {
  const path = file === undefined ? 'REDIS_TLS_VERIFY' : 'REDIS_TLS_CA';
  if (!tls && (file !== undefined || !verifiesCertificate))
    problem({ path, message: 'is for TLS only: let the address of Redis begin with rediss:' });
  if (!tls || file === undefined) return { verifiesCertificate };
  const read = readAuthorities(file);
  if (typeof read !== 'string') problem({ path, message: read.problem });
  return { verifiesCertificate, ...(typeof read === 'string' ? { ca: read } : {}) };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Problems never repeat the value: it may hold more than a path. */
function readAuthorities(file: string): string | { problem: string } {
  if (file.includes('-----BEGIN')) return { problem: 'must be the path of a file, not what is in it' };
  let pem: string;
  try {
    pem = readFileSync(file, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { problem: code === 'ENOENT' ? 'names a file that does not exist' : `cannot be read (${code})` };
  }
  const certificates = pem.match(CERTIFICATE) ?? [];
  if (certificates.length === 0)
    return { problem: 'names a file with no certificate in PEM (-----BEGIN CERTIFICATE-----)' };
  const broken = certificates.findIndex((certificate) => !isCertificate(certificate));
  if (broken !== -1) return { problem: `certificate ${String(broken + 1)} in the file is not valid` };
  return pem;
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}
