import type { HttpLimits } from '../../http/server.ts';
import { MAX_BODY_BYTES } from '../parse/parse-message.ts';

/** Largest body as it is sent, in bytes. */
export const MAX_SENT_BYTES = 1024 * 1024;
/** Largest body unpacked, in bytes: ten thousand records of 800. */
export const MAX_INFLATED_BYTES = 8 * 1024 * 1024;
/** What is parsed at a time: a record, or all else of a message. In bytes; workers and other queues take no longer message. */
export const MAX_PART_BYTES = MAX_BODY_BYTES - '{"Records":[]}'.length;
/** Objects and lists in it; a real record has 15. */
export const MAX_PART_BRACKETS = 10_000;
/** Commas in it; a real record has 40. A hundred thousand members in 1 MiB would take 15 MB parsed. */
export const MAX_PART_COMMAS = 20_000;
/**
 * Bytes of bodies and messages that all requests hold, from their arrival until they are durable. Beyond it requests are
 * answered with 503. With it, and one large body at a time, the process stays below 150 MB.
 */
export const MAX_HELD_BYTES = 6 * 1024 * 1024;
/** Larger bodies, in bytes, are worked on one at a time, and so are packed ones, for which there is one buffer. */
export const LARGE_BYTES = 256 * 1024;
/**
 * Records of one message go to the queue in pieces of so many UTF-16 code units, each durable before the next one is made. A commit
 * of the disk takes as long as it takes for this much.
 */
export const PIECE_SIZE = 256 * 1024;
/** Records that can't be understood, of one message, that are parked one by one. With more, the message is parked whole. */
export const MAX_PARKED_OF_ONE = 100;
/** Parked records, all in all. Beyond it what would have to be parked is answered with 503, for the disk is not endless. */
export const MAX_PARKED = 100_000;
/**
 * How long a request that is answered with 503 is held, in ms. Ceph tries again without any pause: so a connection costs four
 * answers a second, not thousands.
 */
export const HOLD_MS = 250;
/** For this long after something could not be made durable, in ms, nothing is read and tried. */
export const PAUSE_MS = 250;

export const WEBHOOK_LIMITS: HttpLimits = {
  // A body of 1 MiB at 50 kB/s. A sender that is not admitted holds a socket no longer than this.
  requestMs: 20_000,
  // Headers fit into two packets.
  headerMs: 10_000,
  bodyBytes: MAX_SENT_BYTES,
  // An answer has some hundred bytes.
  stallMs: 10_000,
  // Stores keep their connections for a minute or so.
  keepAliveMs: 65_000,
  endMs: 30_000,
  unadmitted: { total: 1024, perAddress: 512 },
  // Those that are admitted beside those that are not. Each costs some 20 kB, with TLS 50.
  connections: 2048,
};
