import tls from 'node:tls';

/**
 * Lets every TLS connection of this process that names no CA trust those of the system, beside Node's own and those of
 * NODE_EXTRA_CA_CERTS. Reading them takes some 100 ms, so only a command that speaks TLS calls it.
 */
export function trustSystemCas(): void {
  // Node 23 and the first 24 have no such function; they trust their own.
  if (!('setDefaultCACertificates' in tls)) return;
  const { getCACertificates: casOf } = tls;
  tls.setDefaultCACertificates([...new Set([...casOf('default'), ...casOf('system')])]);
}
