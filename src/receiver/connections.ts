import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { WebSocket, WebSocketServer } from 'ws';
import { remoteAddressOf } from '../http/remote-address.ts';
import type { UpgradeRequest } from '../http/server.ts';
import type { ThrottledLog } from '../http/throttled-log.ts';
import { IsyncError } from '../model/isync-error.ts';
import type { Log } from '../model/log.ts';
import { CLOSE } from '../protocol/close-codes.ts';
import type { Store } from '../store/store.ts';
import { admit, NO_SESSION_LEFT, NO_SESSION_LEFT_FOR_DEVICE, SHUTTING_DOWN } from './admission.ts';
import { Connection } from './connection.ts';
import type { DeviceWatch } from './devices/device-watch.ts';
import { IdentityLookup } from './identity-lookup.ts';
import { readLarge } from '../http/large-reads.ts';
import { MemoryBudget } from './memory-budget.ts';
import { MAX_SESSIONS_OF_DEVICE, type ReceiverLimits } from './receiver-limits.ts';
import type { TokenFile, TokenIdentity } from '../access/token-file.ts';
import { createUpgrader, refuse } from './upgrade.ts';
import { WriterFence } from './writer-fence.ts';

export interface ConnectionsOptions {
  readonly store: Store;
  readonly tokens: TokenFile | undefined;
  /** Sessions at a time. */
  readonly maxSessions: number;
  readonly software: string;
  readonly limits: ReceiverLimits;
  /** Told of sessions and refusals. */
  readonly watch: DeviceWatch;
  readonly log: Log;
  /** Told what a peer without a session can cause. */
  readonly warnings: ThrottledLog;
}

/** The connections of a receiver: admits those that may have a session, and ends them. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #upgrader: WebSocketServer;
  readonly #open = new Set<Connection>();
  readonly #memory: MemoryBudget;
  readonly #fence = new WriterFence();
  readonly #storeIdentity: IdentityLookup;
  readonly #process: string = randomUUID();
  #shuttingDown = false;

  constructor(options: ConnectionsOptions) {
    const { store, maxSessions, limits, log } = options;
    this.#options = options;
    this.#upgrader = createUpgrader(limits.closeMs);
    this.#memory = new MemoryBudget(limits.heldBytes, maxSessions);
    this.#storeIdentity = new IdentityLookup(store, log);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Makes the request a session, or refuses it. */
  upgrade({ request, socket, head, admitted }: UpgradeRequest): void {
    const { warnings } = this.#options;
    const remote = remoteAddressOf(socket);
    // Until the WebSocket takes over, an error of the socket has no other listener; the socket is gone then.
    const onError = (error: Error): void =>
      warnings.warn('socket broken before the upgrade', remote, { reason: error.message });
    socket.on('error', onError);
    const verdict = this.#admit(request);
    if (!verdict.admitted) {
      const { status, message } = verdict.refusal;
      warnings.warn(`upgrade refused: ${message}`, remote, { status });
      if (status === 401) this.#options.watch.refused(undefined, hostOf(remote), message);
      refuse(socket, verdict.refusal);
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (ws) => {
      socket.off('error', onError);
      admitted();
      this.#serve(ws, socket, verdict.identity, remote);
    });
  }

  /** Ends the sessions whose token has one of these ids. */
  revoke(ids: ReadonlySet<string>): void {
    for (const connection of this.#open)
      if (connection.identity !== undefined && ids.has(connection.identity.id)) {
        connection.revoke();
        this.#options.watch.refused(
          connection.identity.device,
          connection.address,
          'its token has been revoked',
        );
      }
  }

  /** Admits nobody any more, and shuts down every session. Resolves when all are closed. */
  async shutdown(): Promise<void> {
    this.#shuttingDown = true;
    this.#storeIdentity[Symbol.dispose]();
    await Promise.all([...this.#open].map((connection) => connection.shutdown()));
  }

  #admit(request: IncomingMessage) {
    const verdict = admit(request, this.#options.tokens);
    if (!verdict.admitted) return verdict;
    if (this.#shuttingDown) return { admitted: false, refusal: SHUTTING_DOWN } as const;
    if (this.#open.size >= this.#options.maxSessions)
      return { admitted: false, refusal: NO_SESSION_LEFT } as const;
    if (this.#sessionsOf(verdict.identity) >= MAX_SESSIONS_OF_DEVICE)
      return { admitted: false, refusal: NO_SESSION_LEFT_FOR_DEVICE } as const;
    return verdict;
  }

  /**
   * 0 without a token: the device is unknown before HELLO. Those that only read count for themselves, so that they keep no place from
   * the device that sends.
   */
  #sessionsOf(identity: TokenIdentity | undefined): number {
    if (identity === undefined) return 0;
    const { device, access } = identity;
    return [...this.#open].filter(
      (connection) => connection.identity?.device === device && connection.identity.access === access,
    ).length;
  }

  #serve(ws: WebSocket, socket: Duplex, identity: TokenIdentity | undefined, remote: string): void {
    const { store, software, limits, log, warnings, watch } = this.#options;
    const address = hostOf(remote);
    if (!(socket instanceof Socket)) throw new IsyncError('INTERNAL', 'an upgrade without a socket');
    readLarge(socket);
    const connection = new Connection({
      ws,
      socket,
      identity,
      store,
      storeIdentity: this.#storeIdentity,
      process: this.#process,
      software,
      limits,
      memory: this.#memory,
      fence: this.#fence,
      address,
      watch: (start) => watch.opened({ ...start, address }),
      log: log.with({ remote }),
      onRefused: (code, reason) => {
        if (code === CLOSE.DEVICE_REFUSED) watch.refused(identity?.device, address, reason);
        warnings.warn(
          'session refused',
          remote,
          { code, reason, ...(identity !== undefined && { tokenOf: identity.device }) },
          `session refused: ${code}`,
        );
      },
    });
    this.#open.add(connection);
    void connection.ended.then(() => this.#open.delete(connection));
  }
}

/** `remote` is ADDRESS:PORT. */
function hostOf(remote: string): string {
  return remote.slice(0, remote.lastIndexOf(':'));
}
