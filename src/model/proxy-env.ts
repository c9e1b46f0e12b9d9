import type { ProxyEnv } from 'node:http';

/** Never asked for through a proxy. */
const THIS_MACHINE = 'localhost,127.0.0.1,[::1]';

/**
 * The proxies of an environment for an Agent of Node, with ALL_PROXY in the place of those that are not there; undefined where there is
 * none. A proxy of SOCKS is none. What an Agent reads:
 * https://nodejs.org/docs/latest-v24.x/api/http.html#built-in-proxy-support
 */
export function proxyEnv(environment: NodeJS.ProcessEnv): ProxyEnv | undefined {
  const named = (name: string): string | undefined =>
    [environment[name.toLowerCase()], environment[name]].find((text) => text !== undefined && text !== '');
  const proxy = (name: string): string | undefined =>
    [named(name), named('ALL_PROXY')].find((text) => text !== undefined && /^https?:\/\//i.test(text));
  const [http, https] = [proxy('HTTP_PROXY'), proxy('HTTPS_PROXY')];
  if (http === undefined && https === undefined) return undefined;
  const except = named('NO_PROXY');
  return {
    ...(http !== undefined && { HTTP_PROXY: http }),
    ...(https !== undefined && { HTTPS_PROXY: https }),
    NO_PROXY: except === undefined ? THIS_MACHINE : `${except},${THIS_MACHINE}`,
  };
}
