import { certificateFacts, certificateFault, dayOf } from '../../http/certificate.ts';
import { createServer } from '../../http/create-server.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { RECEIVER_LIMITS } from '../../receiver/receiver-limits.ts';
import { readTlsFiles } from '../tls-files.ts';
import { type Check, failure, ok, warning } from './check.ts';

/**
 * Looks at the certificate that a server of ours shows.
 * @param without what holds where there is none
 */
export function checkOwnCertificate(files: Parameters<typeof readTlsFiles>[0], without: string): Check {
  const name = 'certificate';
  try {
    const tls = readTlsFiles(files);
    if (tls === undefined) return ok(name, `none: ${without}`);
    createServer({
      tls,
      ...RECEIVER_LIMITS,
      keepAliveMs: 0,
      allowHalfClosed: false,
      onRequest: () => {},
    }).close();
    const facts = certificateFacts(tls.cert);
    if (facts === undefined) return ok(name, 'can be used');
    const fault = certificateFault(facts, Date.now());
    if (fault === undefined)
      return ok(name, `for ${facts.names.join(', ')}, until ${dayOf(facts.validToMs)}`);
    const { isRefused, message, hint } = fault;
    return isRefused
      ? failure(name, new IsyncError('TLS_FAILED', message, { hint }))
      : warning(name, message, hint);
  } catch (error) {
    return failure(name, error);
  }
}
