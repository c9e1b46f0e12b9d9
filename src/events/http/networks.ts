import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { IsyncError } from '../../model/isync-error.ts';

/** Networks of senders or proxies. */
export interface Networks {
  /** `address` is an IPv4 or IPv6 address; anything else is in no network. */
  has(address: string): boolean;
}

/**
 * Networks in CIDR notation (`10.0.0.0/8`, `2001:db8::/32`), or single addresses.
 * @throws IsyncError CONFIG_INVALID
 */
export function parseNetworks(texts: readonly string[]): Networks {
  const list = new BlockList();
  for (const text of texts) {
    const { address, bits } = parseNetwork(text);
    list.addSubnet(address, bits, isIPv4(address) ? 'ipv4' : 'ipv6');
  }
  return {
    has: (address) => {
      const plain = plainAddress(address);
      if (isIPv4(plain)) return list.check(plain, 'ipv4');
      return isIPv6(plain) && list.check(plain, 'ipv6');
    },
  };
}

/** An IPv4 address that a socket for IPv6 shows as `::ffff:a.b.c.d`, as itself; without the zone of a link. */
export function plainAddress(address: string): string {
  const [bare = ''] = address.split('%', 1);
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  return mapped !== undefined && isIPv4(mapped) ? mapped : bare;
}

function parseNetwork(text: string): { address: string; bits: number } {
  const [, address = '', given] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text.trim()) ?? [];
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : 0;
  const bits = Number(given ?? most);
  if (most === 0 || bits > most)
    throw new IsyncError('CONFIG_INVALID', `"${text}" is no network`, {
      hint: 'Write it as ADDRESS/BITS, such as 10.0.0.0/8 or 2001:db8::/32, or as a single address.',
    });
  return { address, bits };
}
