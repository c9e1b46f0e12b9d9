import { factsOf, type ErrorCode } from '../model/error-table.ts';

/** The exit codes of every command. The table is part of the interface: scripts match on it. */
export const EXIT = {
  /** Done. */
  DONE: 0,
  /** Done, but something is wrong with some files; or a fault of isync itself. */
  PROBLEMS: 1,
  /** The command line or the configuration is wrong; nothing was tried. */
  USAGE: 2,
  /** The other side refused: token, credentials, version, certificate, or a newer session of the same device. */
  REFUSED: 3,
  /** The other side can't be reached. */
  UNREACHABLE: 4,
  /** A disk or a permission of this machine, or the target's disk. */
  DISK: 5,
  /** Stopped by SIGINT, SIGTERM or SIGHUP (128 + SIGINT, as shells have it). */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Returns what a command ends with when an error of this code ended it. */
export function exitCodeOf(code: ErrorCode): ExitCode {
  return factsOf(code).exit;
}

/** For `isync --help`. */
export const EXIT_CODE_HELP = `Exit codes:
  0    done
  1    done, with problems of single files
  2    usage or configuration
  3    refused by the other side: token, version, TLS, fenced
  4    the other side is unreachable
  5    local disk or permission
  130  interrupted`;
