/** What is wrong with the certificate, to follow on the server's name, and what helps. */
export interface CertificateFault {
  why: string;
  fix: string;
}

/** What can be done about an authority that is not known here. */
const TRUST =
  'Set REDIS_TLS_CA to a file with the CA certificate of the provider. Where it has none, as Heroku, set REDIS_TLS_VERIFY=false: the connection stays encrypted, but another server could pose as this one.';

/** By the code of the error. The first that fits. */
const faults: readonly (readonly [pattern: RegExp, why: string, fix: string])[] = [
  [
    /^DEPTH_ZERO_SELF_SIGNED_CERT/,
    'its certificate is self-signed',
    TRUST.replace('the CA certificate of the provider', 'that certificate'),
  ],
  [
    /^(?:SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF))/,
    'its certificate is signed by an unknown authority',
    TRUST,
  ],
  [
    /^CERT_HAS_EXPIRED/,
    'its certificate has expired',
    'Renew the certificate of the server; where it is still valid, set the clock of this machine right.',
  ],
  [/^CERT_NOT_YET_VALID/, 'its certificate is not valid yet', 'Set the clock of this machine right.'],
  [
    /^(?:CERT_|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH_EXCEEDED)/,
    'its certificate is not accepted',
    TRUST,
  ],
];

const NAMES_SHOWN = 5;

/** Null where an error of a connection says nothing about a certificate. */
export function certificateFault(error: unknown): CertificateFault | null {
  const { code, cert } = (error ?? {}) as { code?: unknown; cert?: { subjectaltname?: string } };
  if (typeof code !== 'string') return null;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return wrongName(cert?.subjectaltname ?? '');
  const known = faults.find(([pattern]) => pattern.test(code));
  return known === undefined ? null : { why: known[1], fix: known[2] };
}

function wrongName(names: string): CertificateFault {
  // The server wrote them: nothing but names is passed on.
  const shown = (names.match(/(?:DNS|IP Address):[\w.*:-]+/g) ?? []).slice(0, NAMES_SHOWN);
  return {
    why: `its certificate is for ${shown.length === 0 ? 'another name' : `other names: ${shown.join(', ')}`}`,
    fix: `Use ${shown.length === 0 ? 'the name of the certificate' : 'one of these names'} in the address of Redis, or a certificate for the name that is there now.`,
  };
}
