import type { Log } from '../model/log.ts';
import { proxyEnv } from '../model/proxy-env.ts';

/** Logs which proxies of the environment are in force, without their passwords, and one that can't be. */
export function tellProxies(environment: NodeJS.ProcessEnv, log: Log): void {
  const proxies = proxyEnv(environment);
  if (proxies !== undefined)
    log.info('what is not on this machine is reached through a proxy', {
      https: hostOf(proxies.HTTPS_PROXY),
      http: hostOf(proxies.HTTP_PROXY),
      except: proxies.NO_PROXY,
    });
  for (const name of ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY']) {
    const text = environment[name.toLowerCase()] ?? environment[name] ?? '';
    if (/^socks/i.test(text))
      log.warn('a proxy of SOCKS is not used', { variable: name, hint: 'Name one of HTTP in HTTPS_PROXY.' });
  }
}

function hostOf(proxy: string | undefined): string | undefined {
  return proxy !== undefined && URL.canParse(proxy) ? new URL(proxy).host : undefined;
}
