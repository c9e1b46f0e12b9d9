/** What is known of every error that carries a code, wherever it was thrown. */
export interface ErrorFacts {
  /**
   * Whose it is: one file or folder (`item`), the other side of a link or the store (`peer`), this machine, whoever gave
   * the command and its settings (`user`), or a fault of isync itself.
   */
  readonly concerns: 'item' | 'peer' | 'machine' | 'user' | 'isync';
  /** What a command ends with when this error ended it; src/cli/exit-codes.ts names the numbers. */
  readonly exit: 1 | 2 | 3 | 4 | 5 | 130;
  /** Whether the same operation may succeed later without anyone changing anything but time and load. Default: false. */
  readonly retryable?: true;
  /** What to do about it. docs/operations.md has the same sentences. */
  readonly cure: string;
  /** The cure is also the hint of an error that was given none. Default: false, for a cure that only a list can tell. */
  readonly isHint?: true;
}

const REPAIR =
  'After isync verify: isync verify --repair, then isync scan, sends again what the target lacks or holds differently. After isync mirror verify: isync mirror fill fetches what the bucket lacks, with --changed also what is newer at the origin; what the application has put stays.';

/**
 * Every code that an error or a problem of isync can carry. The codes are stable: scripts match on them, they travel
 * on the wire, and docs/operations.md gives the cause of each.
 */
export const ERRORS = {
  // The command line is wrong.
  USAGE: { concerns: 'user', exit: 2, cure: 'The message names the option; --help tells all of them.' },
  // A config file, an environment variable or a token file is wrong.
  CONFIG_INVALID: {
    concerns: 'user',
    exit: 2,
    cure: 'The message names the field, the value and where it came from.',
  },
  // No token, a wrong or revoked one, one of another device, or for another purpose (reading, sending).
  AUTH_REFUSED: {
    concerns: 'peer',
    exit: 3,
    cure: 'On the server: isync token add DEVICE --tokens FILE. Here: give that token with --token-file; --device must be the DEVICE of the token.',
    isHint: true,
  },
  // The other side speaks no protocol version of ours.
  VERSION_UNSUPPORTED: { concerns: 'peer', exit: 3, cure: 'Update the older side.', isHint: true },
  // Certificate or handshake refused.
  TLS_FAILED: {
    concerns: 'peer',
    exit: 3,
    cure: 'A CA of your own is named with --tls-ca. Else check the address (wss for TLS, ws without), the certificate and the clock.',
    isHint: true,
  },
  // Another sender of the same device is at work, or took over.
  FENCED: {
    concerns: 'peer',
    exit: 3,
    cure: 'Give each sender its own name and token; let an overlapping --once end, or skip it.',
  },
  // Nobody answers, or not in time.
  UNREACHABLE: {
    concerns: 'peer',
    exit: 4,
    retryable: true,
    cure: 'Check the address and its path, the network, firewall and proxy, and that the receiver runs; with a bucket --s3-endpoint.',
  },
  // A connection that stood has broken; the operation is tried again on the next one.
  LINK_LOST: { concerns: 'peer', exit: 4, retryable: true, cure: 'Run it again.' },
  // The other side broke a rule of PROTOCOL.md.
  PROTOCOL: {
    concerns: 'peer',
    exit: 3,
    cure: 'The log of the other side has the rule; report it.',
  },
  // The other side is at a limit of connections or requests, or is shutting down.
  BUSY: {
    concerns: 'peer',
    exit: 4,
    retryable: true,
    cure: 'Try again later, or raise --max-connections there.',
  },
  // The bytes that arrived are not the bytes that were read.
  DIGEST_MISMATCH: {
    concerns: 'item',
    exit: 1,
    retryable: true,
    cure: 'Check memory, network card and disk of both sides.',
  },
  // A name that can't be a RelPath: not UTF-8, too long, leaving its folder.
  BAD_PATH: { concerns: 'item', exit: 1, cure: 'Rename it.' },
  // A file where a folder is needed, or the reverse, or a symlink in the store.
  PATH_CONFLICT: { concerns: 'item', exit: 1, cure: 'Remove what is in the way at the target.' },
  // A symlink, socket, device or FIFO among the data.
  NOT_REGULAR: { concerns: 'item', exit: 1, cure: 'Remove it, or name it in --ignore.' },
  // Written to while it was read.
  FILE_CHANGED: { concerns: 'item', exit: 1, cure: 'Nothing: it is sent when it has settled.' },
  // Gone before it was read.
  FILE_VANISHED: { concerns: 'item', exit: 1, cure: 'Nothing.' },
  // Permission or I/O error while reading. mirror verify: a key that could not be compared. fetch: an object that the bucket does not give.
  FILE_UNREADABLE: {
    concerns: 'item',
    exit: 5,
    cure: 'Use chmod or chown, check the disk; touch mends a time. After isync mirror verify: the message has what the origin or the bucket said.',
  },
  // Shorter than the target's copy of the same mtime, or nothing but zeros: a power cut.
  SOURCE_DAMAGED: {
    concerns: 'item',
    exit: 1,
    cure: 'Copy it back from the target, or send it all the same with --replace-damaged.',
  },
  // `--marks trust`: marked, and the target does not have it.
  MARK_UNKNOWN: {
    concerns: 'item',
    exit: 1,
    cure: 'chmod g-w FILE, or --marks verify (the default), sends it.',
  },
  // Files appeared in a directory after it was sealed.
  SEALED_GROWN: {
    concerns: 'item',
    exit: 1,
    cure: 'rm DIRECTORY/finished.watch, or --reopen; a parser that still writes there must not close it.',
  },
  // Over the store's limit.
  FILE_TOO_LARGE: { concerns: 'item', exit: 1, cure: 'Raise the limit, or remove the file.' },
  // Kept already with different content.
  IMMUTABLE: { concerns: 'item', exit: 1, cure: 'Rename the file, or remove the kept one.' },
  // fetch: something else has the name already.
  NOT_OVERWRITTEN: {
    concerns: 'item',
    exit: 1,
    cure: 'Fetch into another folder, or replace what is there with --overwrite.',
    isHint: true,
  },
  // ls, fetch: nothing is kept under this name, or no glob names any of it.
  NOT_FOUND: {
    concerns: 'item',
    exit: 1,
    cure: 'isync ls FROM shows what is there. A glob without "/" names a file or folder at any depth; with one, it is the whole path below FROM.',
    isHint: true,
  },
  // No space (or quota) left at the target.
  STORE_FULL: {
    concerns: 'peer',
    exit: 5,
    retryable: true,
    cure: 'Make room; what waits for it goes on by itself.',
    isHint: true,
  },
  // The target can't write: permission, I/O error.
  STORE_FAILED: {
    concerns: 'peer',
    exit: 5,
    retryable: true,
    cure: "The message, or the receiver's log, has the words of its system or object store.",
  },
  // The target folder or bucket is not there.
  STORE_MISSING: { concerns: 'peer', exit: 5, cure: 'Mount or make it; isync never makes it itself.' },
  // The object store refuses our credentials, or they lack a permission.
  STORE_REFUSED: {
    concerns: 'peer',
    exit: 3,
    cure: 'The message says which of them, or which permission, is wrong.',
  },
  // Our clock and that of the object store differ too much for it to take our signatures.
  CLOCK_SKEW: {
    concerns: 'machine',
    exit: 3,
    cure: 'Set the clock of this machine, for instance with NTP.',
    isHint: true,
  },
  // The root is not a folder.
  ROOT_MISSING: { concerns: 'machine', exit: 5, cure: 'Check the path; mount the disk.' },
  // Marks or markers can't be written.
  READ_ONLY: { concerns: 'machine', exit: 5, cure: 'Mount the root writable; run as the owner.' },
  // chmod succeeded but the mark is not there, or is not ours to set.
  MARK_NOT_KEPT: {
    concerns: 'machine',
    exit: 5,
    cure: 'Use a file system with Unix permissions; run as the owner.',
  },
  // No watch can be had; the reconcile finds files all the same, later.
  WATCH_FAILED: { concerns: 'machine', exit: 5, cure: 'Raise fs.inotify.max_user_watches.' },
  // verify, mirror verify: both sides have the file, with different content.
  DIFFERENT: { concerns: 'item', exit: 1, cure: REPAIR },
  // verify, mirror verify: the target lacks the file.
  MISSING: { concerns: 'item', exit: 1, cure: REPAIR },
  // verify: only the target has the file.
  EXTRA: {
    concerns: 'item',
    exit: 1,
    cure: 'Nothing, where the device made room; isync removes nothing there.',
  },
  // expire: the target is not the store that has confirmed the files.
  OTHER_STORE: {
    concerns: 'peer',
    exit: 1,
    cure: 'See that --to names the store that has them, and that its disk is mounted. Where the store is meant to be another one, let isync scan send the files there first.',
    isHint: true,
  },
  // expire: the target lacks a file of a sealed directory, so nothing more is removed.
  EXPIRE_STOPPED: {
    concerns: 'peer',
    exit: 1,
    cure: 'Find out why the target has lost files. isync verify says which; isync verify --repair, then isync scan, sends them again.',
    isHint: true,
  },
  // expire: a directory that is due has to stay, or room is still short.
  NOT_EXPIRED: {
    concerns: 'item',
    exit: 1,
    cure: 'The message says what keeps it. It goes by itself once that is over.',
  },
  // An event that can't be understood, or is about a bucket that is not followed.
  EVENT_INVALID: {
    concerns: 'item',
    exit: 1,
    cure: 'isync pull parked show (isync webhook parked show) has it; when its cause is mended, parked replay takes it again.',
  },
  // A script that was run for an event did not end with 0.
  SCRIPT_FAILED: {
    concerns: 'item',
    exit: 1,
    cure: 'The log has what it printed. When its cause is mended, isync webhook queue dead replay (isync pull parked replay) takes the event again.',
  },
  // A comparison with a bucket would remove more than it may.
  RESYNC_STOPPED: {
    concerns: 'peer',
    exit: 1,
    cure: 'See that the bucket is the right one, and whole; then allow more with maxDelete, once.',
  },
  // isync mirror as a fallback: the CDN asks for an object that has been in the bucket for a while.
  LOOP_SUSPECTED: {
    concerns: 'peer',
    exit: 3,
    cure: 'Let the CDN read the bucket (s3:GetObject and s3:ListBucket for its origin access control).',
  },
  // A manifest, list or archive of a backup is missing, damaged, or says what can't be.
  BACKUP_DAMAGED: {
    concerns: 'peer',
    exit: 1,
    cure: 'isync backup list shows the others; the next run makes a full backup.',
  },
  // No private key of ours opens the backup.
  KEY_MISSING: {
    concerns: 'user',
    exit: 2,
    cure: 'Name the file with the private key (AGE-SECRET-KEY-…) of one of its recipients as identityFile in the config file.',
    isHint: true,
  },
  // A source of a backup is missing or empty, a command of it failed, or what must run before it.
  SOURCE_FAILED: {
    concerns: 'machine',
    exit: 5,
    cure: 'Mount the disk, correct the path or mend the command; allowEmpty takes a source that is empty.',
  },
  // Whoever is to be told of a backup has not taken the notice.
  NOTICE_FAILED: {
    concerns: 'peer',
    exit: 1,
    retryable: true,
    cure: 'The message has what the other side said. Check the address, the secret and the rules of the robot that "notify" names.',
  },
  // stdout can't be written to.
  OUTPUT_FAILED: {
    concerns: 'machine',
    exit: 5,
    cure: 'Make room on the disk that the output goes to. What was sent until then is kept and marked.',
    isHint: true,
  },
  // Stopped by a signal.
  INTERRUPTED: { concerns: 'user', exit: 130, cure: 'Run it again: it goes on where it was.' },
  // A fault of isync itself.
  INTERNAL: {
    concerns: 'isync',
    exit: 1,
    cure: 'This is a fault of isync itself; please report it.',
    isHint: true,
  },
} as const satisfies Readonly<Record<string, ErrorFacts>>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERRORS, text);
}

export function factsOf(code: ErrorCode): ErrorFacts {
  return ERRORS[code];
}
