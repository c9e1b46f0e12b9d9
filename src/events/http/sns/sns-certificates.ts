import { X509Certificate, type KeyObject } from 'node:crypto';
import tls from 'node:tls';
import { LRUCache } from 'lru-cache';
import { HttpError } from '../../../http/handler.ts';
import { AMAZON_INTERMEDIATES } from './amazon-intermediates.ts';
import { isTrusted, isValidAt } from './certificate-chain.ts';
import type { GetBudget } from './get-budget.ts';
import type { SnsTopic } from './sns-topic.ts';
import { signingNames } from './sns-topic.ts';
import type { SnsUrl } from './sns-url.ts';

/** Certificates that are kept, of some kilobytes each. A region has one at a time, for months. */
const MAX_KEPT = 64;
/** After this long one is fetched again, in ms: its chain may be trusted no longer. */
const KEEP_MS = 24 * 3600 * 1000;
/** How long one that was refused is refused without being fetched again, in ms. */
const KEEP_REFUSED_MS = 60_000;
/** Shortest RSA key in bits that is still taken for safe. */
const MIN_KEY_BITS = 2048;
/** Most certificates in a file. SNS has one. */
const MAX_CERTIFICATES = 5;

/** The file is this and nothing else, so that no other text of SNS that quotes a certificate can pass for one. */
const PEM_FILE = /^(?:-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*)+$/;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

export interface SnsCertificatesOptions {
  readonly budget: GetBudget;
  /** Authorities in PEM. Default: those that TLS connections of this process trust. */
  readonly authorities?: readonly string[] | undefined;
  /** In ms since 1970. */
  readonly now?: (() => number) | undefined;
}

interface Kept {
  readonly certificate: Promise<X509Certificate>;
  readonly atMs: number;
  readonly keepMs: number;
}

/** Keys that SNS signs with, each fetched once. */
export class SnsCertificates {
  readonly #budget: GetBudget;
  readonly #authorities: readonly string[] | undefined;
  readonly #now: () => number;
  readonly #kept = new LRUCache<string, Kept>({ max: MAX_KEPT });

  constructor({ budget, authorities, now = Date.now }: SnsCertificatesOptions) {
    this.#budget = budget;
    this.#authorities = authorities;
    this.#now = now;
  }

  /**
   * The key of the certificate at `url`, which SNS signs with in the region of the topic.
   * @throws HttpError 403 where it is none of SNS's, 503 where it can't be had now
   */
  async keyAt(url: SnsUrl, topic: SnsTopic): Promise<KeyObject> {
    // One of another topic's region has another URL.
    const certificate = await this.#at(url, topic);
    if (!isValidAt(certificate, this.#now())) throw refused('is not valid at this time');
    return certificate.publicKey;
  }

  #at(url: SnsUrl, topic: SnsTopic): Promise<X509Certificate> {
    const known = this.#kept.get(url.href);
    const nowMs = this.#now();
    // One that was looked at by a clock that was ahead of this one is looked at again.
    if (known !== undefined && nowMs >= known.atMs && nowMs - known.atMs < known.keepMs)
      return known.certificate;
    const certificate = this.#fetch(url, topic);
    this.#kept.set(url.href, { certificate, atMs: nowMs, keepMs: KEEP_MS });
    certificate.catch((error: unknown) => {
      if (error instanceof HttpError && error.status === 403)
        this.#kept.set(url.href, { certificate, atMs: this.#now(), keepMs: KEEP_REFUSED_MS });
      else this.#kept.delete(url.href);
    });
    return certificate;
  }

  async #fetch(url: SnsUrl, topic: SnsTopic): Promise<X509Certificate> {
    const { status, body, issuers } = await this.#budget.get(url);
    if (status >= 500 || status === 429)
      throw new HttpError(503, 'SNS does not give its certificate at the moment');
    if (status !== 200) throw refused('is not there');
    const [certificate, ...more] = certificatesIn(body.toString('latin1'));
    if (certificate === undefined) throw refused('can not be read');
    if (certificate.ca) throw refused('is one of an authority');
    const { asymmetricKeyType: type, asymmetricKeyDetails: details } = certificate.publicKey;
    if (type !== 'rsa' || (details?.modulusLength ?? 0) < MIN_KEY_BITS) throw refused('has a weak key');
    if (!signingNames(topic).some((name) => certificate.checkHost(name, { wildcards: false }) !== undefined))
      throw refused('is not one of SNS');
    const trust = {
      intermediates: [...more, ...issuers, ...AMAZON_INTERMEDIATES.map((pem) => new X509Certificate(pem))],
      roots: this.#roots(),
      atMs: this.#now(),
    };
    if (!isTrusted(certificate, trust))
      throw refused('leads to no authority that is trusted, or is not valid');
    return certificate;
  }

  /** Read anew for each certificate, so that the hundreds of them take no memory in between. */
  #roots(): readonly X509Certificate[] {
    const authorities = this.#authorities ?? tls.getCACertificates('default');
    return authorities.flatMap((pem) => readPem(pem) ?? []);
  }
}

function certificatesIn(text: string): readonly X509Certificate[] {
  const pems = PEM_FILE.test(text) ? (text.match(PEM) ?? []) : [];
  if (pems.length > MAX_CERTIFICATES) return [];
  const certificates = pems.map(readPem);
  return certificates.every((each) => each !== undefined) ? certificates : [];
}

/** Undefined where it is broken, or older or newer than OpenSSL knows. */
function readPem(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function refused(why: string): HttpError {
  return new HttpError(403, `the certificate ${why}`);
}
