import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { buildConnector } from 'undici';

/** Whether a connection to an address (IPv4 or IPv6, as text) may be made. */
export type AddressRule = (address: string) => boolean;

/** No address of a host may be connected to. Nothing has been sent. */
export class AddressRefused extends Error {
  constructor(host: string, addresses: readonly string[]) {
    const all = addresses.join(', ');
    super(`${host === all ? host : `${host} (${all})`} is no address on the Internet`);
    this.name = 'AddressRefused';
  }
}

export interface ConnectOptions {
  readonly mayConnect: AddressRule;
  readonly timeoutMs: number;
  /** Where hosts are. Default: as the system resolves names. */
  readonly lookup?: LookupFunction | undefined;
}

/**
 * Connects for undici to addresses alone that `mayConnect` allows. It is asked in the very look-up whose answer is connected to, so
 * a name that has resolved to another address before changes nothing; and for a host that is an address, which is never looked up.
 */
export function guardedConnect({
  mayConnect,
  timeoutMs,
  lookup = systemLookup,
}: ConnectOptions): buildConnector.connector {
  const connect = buildConnector({
    // How bodies are framed is told from HTTP/1.1.
    allowH2: false,
    timeout: timeoutMs,
    lookup: guardedLookup(lookup, mayConnect),
  });
  return (options, callback) => {
    const host = options.hostname;
    if (isIP(host) === 0 || mayConnect(host)) return connect(options, callback);
    process.nextTick(callback, new AddressRefused(host, [host]), null);
  };
}

function guardedLookup(lookup: LookupFunction, mayConnect: AddressRule): LookupFunction {
  return (host, options, callback) => {
    lookup(host, options, (error, found, family) => {
      if (error !== null) {
        callback(error, found, family);
        return;
      }
      const addresses =
        typeof found === 'string' ? [{ address: found, family: family ?? isIP(found) }] : found;
      const allowed = addresses.filter(({ address }) => mayConnect(address));
      const [first] = allowed;
      if (first === undefined)
        callback(
          new AddressRefused(
            host,
            addresses.map(({ address }) => address),
          ),
          [],
        );
      else if (typeof found === 'string') callback(null, first.address, first.family);
      else callback(null, allowed);
    });
  };
}
