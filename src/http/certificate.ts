import { X509Certificate } from 'node:crypto';

/** A certificate that ends sooner than this, in ms, is told of: those of Let's Encrypt are renewed 30 days before their end. */
export const SOON_MS = 14 * 86_400_000;
const DAY_MS = 86_400_000;

export const EXPIRED_HINT =
  'Renew the certificate of the receiver; or set the clock of this machine, where that is wrong.';
export const NOT_YET_HINT =
  'Set the clock of this machine, for instance with NTP; or wait until the certificate is valid.';

/** What of a certificate decides whether the other side takes it. */
export interface CertificateFacts {
  /** DNS names and IP addresses that it is for. */
  readonly names: readonly string[];
  readonly validFromMs: number;
  readonly validToMs: number;
}

export interface CertificateFault {
  /** Whether it is refused now. */
  readonly isRefused: boolean;
  /** A sentence without its end. */
  readonly message: string;
  readonly hint: string;
}

/** Returns what the first certificate in `pem`, or one in DER, says; undefined where there is none that can be read. */
export function certificateFacts(pem: Buffer | string): CertificateFacts | undefined {
  try {
    const certificate = new X509Certificate(pem);
    return {
      names: namesIn(certificate.subjectAltName ?? ''),
      validFromMs: Date.parse(certificate.validFrom),
      validToMs: Date.parse(certificate.validTo),
    };
  } catch {
    return undefined;
  }
}

/** When that certificate ends, in ms since 1970; undefined where that can't be read. */
export function certificateEndsMs(pem: Buffer | string): number | undefined {
  const endsMs = certificateFacts(pem)?.validToMs;
  return endsMs === undefined || Number.isNaN(endsMs) ? undefined : endsMs;
}

/** Returns what is wrong with a certificate of this machine or of the other side, now or soon; undefined: nothing. */
export function certificateFault(facts: CertificateFacts, nowMs: number): CertificateFault | undefined {
  const { names, validFromMs, validToMs } = facts;
  if (nowMs < validFromMs)
    return {
      isRefused: true,
      message: `the certificate is not valid before ${dayOf(validFromMs)}`,
      hint: NOT_YET_HINT,
    };
  if (nowMs > validToMs)
    return {
      isRefused: true,
      message: `the certificate has expired on ${dayOf(validToMs)}`,
      hint: EXPIRED_HINT,
    };
  if (names.length === 0)
    return {
      isRefused: true,
      message: 'the certificate has no name (subjectAltName), so that no sender takes it',
      hint: 'Have one made with the name that senders give with --to: openssl req … -addext subjectAltName=DNS:NAME.',
    };
  if (validToMs - nowMs >= SOON_MS) return undefined;
  return {
    isRefused: false,
    message: `the certificate expires on ${dayOf(validToMs)}, in ${Math.floor((validToMs - nowMs) / DAY_MS)} days`,
    hint: 'Renew it, and see why it was not renewed by itself.',
  };
}

/** Returns a day as `2026-11-26`, UTC. */
export function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** `DNS:a.example, IP Address:10.0.0.1`, as OpenSSL writes it; a name that needs quotes is left out. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/(?:^|, )(?:DNS|IP Address):([^,"]+)/g)].map(([, name = '']) => name);
}
