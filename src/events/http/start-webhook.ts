import type { TlsFiles } from '../../http/create-server.ts';
import { checkExposure } from '../../http/exposure.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { type HttpLimits, type HttpServer, type ServerOptions, startServer } from '../../http/server.ts';
import { errnoOf, IsyncError } from '../../model/isync-error.ts';
import { ThrottledLog } from '../../http/throttled-log.ts';
import { isGuarded } from './access-rule.ts';
import { webhookHandler } from './webhook-handler.ts';
import type { WebhookOptions } from './webhook-options.ts';
import { WEBHOOK_LIMITS } from './webhook-limits.ts';

export interface StartWebhookOptions extends Omit<WebhookOptions, 'isTls' | 'warnings'> {
  /** Default: all addresses of this machine where something says who may post, else 127.0.0.1. */
  readonly address?: string | undefined;
  /** 0 for any free port. */
  readonly port: number;
  readonly tls?: TlsFiles | undefined;
  /** Listen beyond loopback though anybody may post. */
  readonly insecure?: boolean | undefined;
  /** For requests under way when the server ends, in ms. */
  readonly graceMs?: number | undefined;
  readonly limits?: Partial<HttpLimits> | undefined;
}

/** All of this machine: of IPv6, which takes IPv4 too, and where there is none. */
const [ALL, ALL_IPV4] = ['::', '0.0.0.0'];
const NO_IPV6: ReadonlySet<string | undefined> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

/**
 * Listens for events. End it before the queue and the parking: `end` takes nothing new, and resolves when what was read is
 * durable and answered, or `graceMs` have passed.
 * @throws IsyncError CONFIG_INVALID: exposed without a rule who may post, unusable certificate, or no such address
 */
export async function startWebhook(options: StartWebhookOptions): Promise<HttpServer> {
  const { access, address, port, tls, log } = options;
  const host = checkedHost(options);
  const isSecret = access.token !== undefined || access.secretPath !== undefined;
  if (isSecret && tls === undefined && !isLoopback(host))
    log.warn('without TLS, the token or the secret path crosses the network in the clear', { host });
  const warnings = new ThrottledLog(log);
  const { graceMs = WEBHOOK_LIMITS.endMs } = options;
  const server = await listening(
    {
      listen: { host, port },
      tls,
      limits: { ...WEBHOOK_LIMITS, endMs: graceMs, ...options.limits },
      handler: webhookHandler({ ...options, isTls: tls !== undefined, warnings }),
      log,
      warnings,
    },
    address === undefined,
  );
  // Without the secret path.
  log.info('listening for events', { url: `${server.url('http')}/webhook` });
  return server;
}

/**
 * Returns where to listen.
 * @throws IsyncError CONFIG_INVALID: exposed without a rule who may post
 */
export function checkedHost({
  access,
  address,
  port,
  insecure = false,
}: Pick<StartWebhookOptions, 'access' | 'address' | 'port' | 'insecure'>): string {
  const isOpen = isGuarded(access) || insecure;
  const host = address ?? (isOpen ? ALL : '127.0.0.1');
  checkExposure({ host, port }, isOpen, EXPOSURE);
  return host;
}

async function listening(options: ServerOptions, isAnyAddress: boolean): Promise<HttpServer> {
  try {
    return await startServer(options);
  } catch (error) {
    const isWithoutIpv6 = error instanceof IsyncError && NO_IPV6.has(errnoOf(error.cause));
    if (!isAnyAddress || options.listen.host !== ALL || !isWithoutIpv6) throw error;
    return startServer({ ...options, listen: { ...options.listen, host: ALL_IPV4 } });
  }
}

const EXPOSURE = {
  server: 'a webhook',
  hint: 'Say who may post: a token (--token-file), a secret path, or source networks; or --insecure where everybody may.',
};
