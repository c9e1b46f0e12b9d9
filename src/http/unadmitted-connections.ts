import { isIPv6, type Socket } from 'node:net';

export interface UnadmittedLimits {
  /** Sockets that may wait at a time, of everybody. */
  readonly most: number;
  /** Of these, of one address. */
  readonly mostOfAddress: number;
}

/**
 * Sockets that are no sessions yet: anybody can make them. Where there are too many, those that have waited longest
 * go, first of all those of the same address. An honest sender needs few round trips to get through, so whoever floods
 * it with idle sockets pushes out his own.
 */
export class UnadmittedConnections {
  readonly #limits: UnadmittedLimits;
  /** Oldest first. */
  readonly #waiting = new Map<string, Socket>();
  /** The same by address. */
  readonly #byAddress = new Map<string, Set<string>>();

  constructor(limits: UnadmittedLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** Returns how many others had to go. */
  enter(socket: Socket): number {
    const end = endOf(socket);
    const address = networkOf(socket.remoteAddress);
    const neighbours = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, neighbours.add(end));
    this.#waiting.set(end, socket);
    socket.once('close', () => this.#remove(end, address));
    const before = this.size;
    if (neighbours.size > this.#limits.mostOfAddress) this.#turnAway(neighbours);
    if (this.size > this.#limits.most) this.#turnAway(this.#waiting.keys());
    return before - this.size;
  }

  /** It has become a session. With TLS this may be the socket on top of the one that entered. */
  leave(socket: Socket): void {
    this.#remove(endOf(socket), networkOf(socket.remoteAddress));
  }

  #turnAway(ends: Iterable<string>): void {
    for (const end of ends) {
      const socket = this.#waiting.get(end);
      if (socket === undefined) continue;
      this.leave(socket);
      socket.destroy();
      return;
    }
  }

  #remove(end: string, address: string): void {
    this.#waiting.delete(end);
    const neighbours = this.#byAddress.get(address);
    neighbours?.delete(end);
    if (neighbours?.size === 0) this.#byAddress.delete(address);
  }
}

/** Names a connection: no two have the same ends at a time. */
function endOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** What one owner has at least: an IPv4 address, or the 64 bits of an IPv6 network. */
export function networkOf(address = ''): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail = ''] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = address.includes('::') ? 8 - groups.length - (tail === '' ? 0 : tail.split(':').length) : 0;
  return [...groups, ...Array<string>(missing).fill('0')].slice(0, 4).join(':');
}
