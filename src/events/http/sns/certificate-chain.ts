import type { X509Certificate } from 'node:crypto';

/** Most authorities between a certificate and a root: those on the web have two at most. */
const MAX_INTERMEDIATES = 3;

export interface Trust {
  /** Whatever may help to get to a root; none of them is trusted by itself. */
  readonly intermediates: readonly X509Certificate[];
  readonly roots: readonly X509Certificate[];
  /** When all of the chain must be valid, in ms since 1970. */
  readonly atMs: number;
}

/** Whether signatures lead from `certificate` to one of the roots, and all on the way are valid at the time. */
export function isTrusted(certificate: X509Certificate, trust: Trust): boolean {
  return isValidAt(certificate, trust.atMs) && leadsToRoot(certificate, trust, MAX_INTERMEDIATES);
}

export function isValidAt({ validFromDate, validToDate }: X509Certificate, atMs: number): boolean {
  return validFromDate.getTime() <= atMs && atMs <= validToDate.getTime();
}

function leadsToRoot(certificate: X509Certificate, trust: Trust, left: number): boolean {
  const { roots, intermediates, atMs } = trust;
  const issuedBy = (issuer: X509Certificate): boolean =>
    isValidAt(issuer, atMs) && isIssuedBy(certificate, issuer);
  if (roots.some(issuedBy)) return true;
  if (left === 0) return false;
  return intermediates.some(
    (issuer) => issuer.ca && issuedBy(issuer) && leadsToRoot(issuer, trust, left - 1),
  );
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  try {
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  } catch {
    // A key of a kind that OpenSSL can't use has signed nothing.
    return false;
  }
}
