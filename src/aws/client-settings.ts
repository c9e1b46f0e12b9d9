import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { IsyncError } from '../model/isync-error.ts';
import { proxyEnv } from '../model/proxy-env.ts';
import type { AwsAccess } from './access.ts';
import { credentialsFor } from './credentials.ts';

/** Tries of one request in all, by the SDK, some 0.1 s apart. The caller tries again for longer. */
const ATTEMPTS = 3;
/**
 * From the first packet to an open connection, in ms: enough for two retransmissions on a bad link. A request that waits
 * for a connection of ours fails after this time, too.
 */
const CONNECT_MS = 10_000;
/** Longest time without a byte in either direction, in ms. A server that takes longer to complete an upload sends spaces. */
const SILENCE_MS = 60_000;

/**
 * The settings that each client of the SDK gets, whatever its service.
 * @param connections that it may have open at a time
 * @param attempts tries of one request in all
 * @throws IsyncError CONFIG_INVALID where `access` contradicts itself
 */
export function clientSettings(access: AwsAccess, connections: number, attempts = ATTEMPTS) {
  const { endpoint, region, profile, fips, dualStack, ca } = access;
  if (endpoint !== undefined && (fips === true || dualStack === true))
    throw new IsyncError(
      'CONFIG_INVALID',
      `fips and dualStack choose an endpoint of AWS, but ${endpoint} is given`,
      {
        hint: 'Leave out the endpoint, or give the one that is meant, without fips and dualStack.',
      },
    );
  const credentials = credentialsFor(access, { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS });
  const proxies = proxyEnv(process.env);
  const agent = {
    keepAlive: true,
    maxSockets: connections,
    ...(proxies !== undefined && { proxyEnv: proxies }),
  };
  return {
    ...(endpoint !== undefined && { endpoint, region: 'us-east-1' }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(credentials !== undefined && { credentials }),
    ...(fips !== undefined && { useFipsEndpoint: fips }),
    ...(dualStack !== undefined && { useDualstackEndpoint: dualStack }),
    maxAttempts: attempts,
    // All middleware is added before the first request, so the stack need not be built for each one.
    cacheMiddleware: true,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: SILENCE_MS,
      // Where a request brings a time limit of its own; else the SDK would only write a warning then.
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, ca }),
    },
  };
}
