import { EXPIRED_HINT, NOT_YET_HINT } from '../../http/certificate.ts';
import { saysNoTls } from '../../model/tls-text.ts';

/** A receiver that expects TLS, or none, just hangs up; so does a bad link, so it is tried again. */
const HANG_UP =
  'If the receiver runs, check the address: wss:// where it has a certificate, ws:// where not.';
/** Where no answer came in time. */
export const NO_ANSWER =
  'Nobody answers there: check address and port, the network, and firewalls, which may drop what they refuse.';
const NO_WAY = 'No way leads to that address: check the network of this machine and its routes.';
const UNKNOWN_CA =
  'Name the CA that has signed it with --tls-ca; a self-signed certificate is its own. Or let the receiver send the whole chain (fullchain.pem).';
const NO_TLS =
  'It answers without TLS: ws:// reaches it. Or give the receiver a certificate (--tls-cert, --tls-key).';
const NO_CERTIFICATE =
  'The receiver asks for a certificate of its --tls-ca: give one with --tls-cert and --tls-key.';

/** By errno, or by the code of Node or OpenSSL (`man verify`) for what is wrong with a certificate. */
const HINTS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Nobody knows this name: check the address, /etc/hosts and the name server (/etc/resolv.conf).',
  EAI_AGAIN:
    'The name server does not answer: check the network and /etc/resolv.conf, or give an IP address.',
  ECONNREFUSED:
    'Nothing listens there: check the port (7400 unless told), that the receiver runs, and that it listens beyond loopback (--listen).',
  ECONNRESET: HANG_UP,
  ETIMEDOUT: NO_ANSWER,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  CERT_HAS_EXPIRED: EXPIRED_HINT,
  CERT_NOT_YET_VALID: NOT_YET_HINT,
  ERR_TLS_CERT_ALTNAME_INVALID:
    'Let --to have a name that the certificate has, or have one made with the name in --to.',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_CA,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_CA,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_CA,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_CA,
};

/** Returns what to do about a connection that could not be opened; undefined where that is not known any closer. */
export function connectHint(code: string, message: string): string | undefined {
  if (saysNoTls(message)) return NO_TLS;
  if (/alert (certificate required|bad certificate|unknown ca)/.test(message)) return NO_CERTIFICATE;
  return HINTS[code];
}
