/** Path of the upgrade request, and the WebSocket subprotocol that names the wire format's major version. */
export const REPLICATE_PATH = '/v1/replicate';
export const SUBPROTOCOL = 'isync.v1';
export const PROTOCOL_VERSION = 1;

/** Largest file that travels whole in a FILES message, in bytes. Above it a message's fixed cost no longer shows. */
export const MAX_INLINE_BYTES = 64 * 1024;
/** Most files in one FILES message: bounds what one message can ask of the disk. */
export const MAX_FILES_PER_MESSAGE = 256;
/** Content of one CHUNK in bytes. Larger ones are no faster on loopback and hold up live files on thin links. */
export const MAX_CHUNK_BYTES = 256 * 1024;
/** Largest message in bytes, header included: a full FILES message with the longest paths stays below. */
export const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;
/** Content that a sender puts into one FILES message at most, in bytes: a few disk writes, one group commit. */
export const TARGET_BATCH_BYTES = 512 * 1024;
/** Files a session may have sent or opened without an answer. Each costs either side about a kilobyte at most. */
export const MAX_FILES_IN_FLIGHT = 4096;
/** Uploads (OPEN without END) a session may have at a time. Each costs the receiver an open file. */
export const MAX_OPEN_UPLOADS = 16;
/** LOOK, LIST, SEAL and READ requests a session may have without an answer. */
export const MAX_REQUESTS_IN_FLIGHT = 32;
/** Most paths in one LOOK, LISTED or READ message. */
export const MAX_PATHS_PER_MESSAGE = 256;
/** Content that one READ may ask for, in bytes. Some of these under way fill a fast link; a receiver holds few at a time. */
export const MAX_READ_BYTES = 1024 * 1024;
/** Longest name of a version in CONTENT, in bytes of UTF-8: an ETag, an inode and a time. */
export const MAX_VERSION_BYTES = 128;
/** Longest HELLO or WELCOME in bytes. */
export const MAX_HELLO_BYTES = 4096;
/** Longest id of a store or process in WELCOME, in characters. */
export const MAX_ID_LENGTH = 128;
/** Longest text of an error on the wire, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 1024;

/** Longest REPORT in bytes: what a device tells of itself stays small, for a receiver keeps the last one of each device. */
export const MAX_REPORT_BYTES = 8 * 1024;
/** Most problems in a REPORT, the gravest first: more than a person reads of one device. */
export const MAX_REPORT_PROBLEMS = 10;
/** Longest text in a REPORT, in UTF-16 units: a name in it may be cut. */
export const MAX_REPORT_TEXT = 300;
/** Least time between two REPORTs of a session, in ms. A receiver ignores what comes sooner than half of it. */
export const REPORT_MS = 5_000;
/** A sender reports at least this often, in ms, also where nothing has changed: a receiver may have taken none of a burst. */
export const REPORT_AT_LEAST_MS = 30_000;

/** The sender must send HELLO within this time after the handshake, in ms. */
export const HELLO_DEADLINE_MS = 10_000;
/** A side that has sent nothing for this long sends KEEPALIVE, in ms. */
export const KEEPALIVE_MS = 8_000;
/** A side that has received no byte for this long ends the session, in ms: half-open links are noticed within 30 s. */
export const SILENCE_DEADLINE_MS = 25_000;
