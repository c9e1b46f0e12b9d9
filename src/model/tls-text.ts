/** OpenSSL's own reason in Node's message: `…:SSL routines:FUNCTION:REASON:FILE:LINE:`. */
const OPENSSL_REASON = /:SSL routines:[^:]*:([^:]+):/;
/** What Node appends to its message; we have settings of our own for it. */
const NODE_ADVICE = /; if the root CA is installed locally, try running Node\.js with --use-system-ca/;

/** Returns what a TLS connection failed with in one line, without what only means something to those who know Node. */
export function tlsText(message: string): string {
  return OPENSSL_REASON.exec(message)?.[1] ?? message.replace(NODE_ADVICE, '');
}

/** Whether the other side answered something that is no TLS. */
export function saysNoTls(message: string): boolean {
  return /wrong version number|packet length too long/.test(message);
}
