import { BlockList, isIPv4, isIPv6 } from 'node:net';

/**
 * Which addresses an origin may have. https://www.iana.org/assignments/iana-ipv4-special-registry/ and
 * https://www.iana.org/assignments/iana-ipv6-special-registry/ name those that are nobody's on the Internet.
 */

/** IPv4 of machines that are one's own: what `allowPrivate` allows. */
const PRIVATE_IPV4 = ['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'];
const PRIVATE_IPV6 = ['::1/128', 'fc00::/7'];

/** What no origin has: this network, link-local (169.254.169.254 tells secrets of a cloud), documentation, multicast, reserved. */
const NEVER_IPV4 = [
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  // The metadata of two clouds, among addresses that are private.
  '100.100.100.200/32',
  '192.0.0.192/32',
];
/** Of those that are global by their prefix: protocols, Teredo, documentation, 6to4, SRv6. */
const NEVER_IPV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '2620:4f:8000::/48', '3fff::/20'];
/** Metadata of AWS and Google, among addresses that are private. */
const METADATA_IPV6 = ['fd00:ec2::/32', 'fd20:ce::/32'];
const GLOBAL_IPV6 = '2000::/3';
/** IPv6 addresses that lead to the IPv4 address in their last 32 bits: mapped, and by NAT64 (the only way out of some networks). */
const EMBEDDING = ['::ffff:', '64:ff9b::'];

const privates = listOf(PRIVATE_IPV4, PRIVATE_IPV6);
const never = listOf(NEVER_IPV4, [...NEVER_IPV6, ...METADATA_IPV6]);
const global = listOf(['0.0.0.0/0'], [GLOBAL_IPV6]);

/** Whether `address` is one of the Internet. False for what is no address. */
export function isGlobalUnicast(address: string): boolean {
  return has(global, address) && !has(never, address) && !has(privates, address);
}

/** The same, or of a private network or this machine. What never belongs to an origin stays refused: metadata, multicast. */
export function isGlobalOrPrivate(address: string): boolean {
  return (has(global, address) || has(privates, address)) && !has(never, address);
}

function has(list: BlockList, address: string): boolean {
  // The zone of a link-local address.
  const [bare = ''] = address.split('%', 1);
  if (isIPv4(bare)) return list.check(bare, 'ipv4');
  return isIPv6(bare) && list.check(bare, 'ipv6');
}

function listOf(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of ipv6) add(list, network, 'ipv6', 0);
  for (const network of ipv4) {
    add(list, network, 'ipv4', 0);
    for (const prefix of EMBEDDING) add(list, `${prefix}${network}`, 'ipv6', 96);
  }
  return list;
}

function add(list: BlockList, network: string, family: 'ipv4' | 'ipv6', more: number): void {
  const [address = '', bits] = network.split('/');
  list.addSubnet(address, more + Number(bits), family);
}
