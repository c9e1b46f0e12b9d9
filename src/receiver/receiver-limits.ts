import {
  HELLO_DEADLINE_MS,
  KEEPALIVE_MS,
  MAX_FILES_IN_FLIGHT,
  MAX_OPEN_UPLOADS,
  MAX_REQUESTS_IN_FLIGHT,
  SILENCE_DEADLINE_MS,
} from '../protocol/limits.ts';
import type { SessionLimits } from '../protocol/messages.ts';
import type { UnadmittedLimits } from '../http/unadmitted-connections.ts';

/** Bounds of every session. WELCOME tells the sender the first three. */
export interface ReceiverLimits extends SessionLimits {
  /**
   * Bytes of memory that a session's files and requests take from the arrival of their message until the store is done
   * with them. Above it the socket is paused.
   */
  readonly pendingBytes: number;
  /** Bytes of answers that the sender has yet to read. Above it the socket is paused. */
  readonly outgoingBytes: number;
  /** Bytes of both kinds that all sessions may hold. Above it, sessions with more than their share are paused. */
  readonly heldBytes: number;
  /** From the handshake to HELLO, in ms. */
  readonly helloMs: number;
  readonly keepaliveMs: number;
  readonly silenceMs: number;
  /** For a message of ours to leave, in ms: a sender that reads nothing must not hold its session for ever. */
  readonly stallMs: number;
  /** From the accepted connection to the whole upgrade request, and for a TLS handshake, in ms. */
  readonly requestMs: number;
  /** From our close frame to the sender's, in ms; then the socket is cut. */
  readonly closeMs: number;
  /** For commits under way when the receiver is closed, in ms; then sockets are cut. */
  readonly shutdownMs: number;
}

export const RECEIVER_LIMITS: ReceiverLimits = {
  filesInFlight: MAX_FILES_IN_FLIGHT,
  openUploads: MAX_OPEN_UPLOADS,
  requests: MAX_REQUESTS_IN_FLIGHT,
  // A thousand small files for one group commit, or a pause of 50 ms of a disk that writes 150 MB/s.
  pendingBytes: 8 * 1024 * 1024,
  // A few of the longest pages; only a sender that writes without ever reading gets here.
  outgoingBytes: 4 * 1024 * 1024,
  // With as many half-read messages as there are sessions by default, the process stays below 512 MiB.
  heldBytes: 128 * 1024 * 1024,
  helloMs: HELLO_DEADLINE_MS,
  keepaliveMs: KEEPALIVE_MS,
  silenceMs: SILENCE_DEADLINE_MS,
  // A page of a listing with the longest paths is 1 MiB: time enough for it at 10 kB/s.
  stallMs: 120_000,
  // Two retransmissions on a bad link. Peers that are not admitted hold a socket no longer than this.
  requestMs: 10_000,
  closeMs: 5_000,
  shutdownMs: 10_000,
};

/** Sessions at a time unless told otherwise: devices of one site; see `heldBytes` for what they take. */
export const DEFAULT_MAX_CONNECTIONS = 64;
/** Sessions of one device at a time: scan, verify, and some whose loss has not been noticed yet. */
export const MAX_SESSIONS_OF_DEVICE = 8;
/**
 * Connections without a session: requests under way, health checks, attackers. Each costs some 50 kB with TLS. To push
 * out a sender, that many connections must arrive during its handshake.
 */
export const UNADMITTED_LIMITS: UnadmittedLimits = { total: 1024, perAddress: 512 };
/** Memory that a file or chunk takes besides its content and path, in bytes. */
export const MESSAGE_COST = 1024;
/** WebSocket fragments of a message. Senders send one; proxies may cut it. */
export const MAX_FRAGMENTS = 256;
/** Socket reads that may wait for the end of a frame: MAX_MESSAGE_BYTES in the smallest usual packets. */
export const MAX_BUFFERED_READS = 16 * 1024;
