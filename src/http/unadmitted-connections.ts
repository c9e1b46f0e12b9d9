import type { Socket } from 'node:net';
import { networkOf } from './network-of.ts';

export interface UnadmittedLimits {
  /** Sockets that may wait at a time. */
  readonly total: number;
  /** Of these, those of one address. */
  readonly perAddress: number;
}

/**
 * Bounds the sockets that have not been admitted: anybody can make them. When there are too many, the one that has waited
 * longest is cut, of the same address first. An honest peer needs only a few round trips to be admitted, so a flood of
 * idle sockets mostly cuts its own.
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

  /** Returns how many others were cut. */
  enter(socket: Socket): number {
    const end = endOf(socket);
    const address = networkOf(socket.remoteAddress);
    const neighbours = this.#byAddress.get(address) ?? new Set();
    this.#byAddress.set(address, neighbours.add(end));
    this.#waiting.set(end, socket);
    socket.once('close', () => this.#remove(end, address));
    const before = this.size;
    if (neighbours.size > this.#limits.perAddress) this.#turnAway(neighbours);
    if (this.size > this.#limits.total) this.#turnAway(this.#waiting.keys());
    return before - this.size;
  }

  /** The socket was admitted, and is not counted any more. With TLS this may be the socket on top of the one that entered. */
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

/** Identifies a connection: no two have the same ends at a time. */
function endOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress}`;
}
