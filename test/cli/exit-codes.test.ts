import { describe, expect, it } from 'vitest';
import { EXIT, EXIT_CODE_HELP, exitCodeOf } from '../../src/cli/exit-codes.ts';
import type { ErrorCode } from '../../src/model/isync-error.ts';

const TABLE: Record<ErrorCode, number> = {
  USAGE: 2,
  CONFIG_INVALID: 2,
  AUTH_REFUSED: 3,
  VERSION_UNSUPPORTED: 3,
  TLS_FAILED: 3,
  FENCED: 3,
  UNREACHABLE: 4,
  LINK_LOST: 4,
  PROTOCOL: 3,
  BUSY: 4,
  DIGEST_MISMATCH: 1,
  BAD_PATH: 1,
  PATH_CONFLICT: 1,
  NOT_REGULAR: 1,
  FILE_CHANGED: 1,
  FILE_VANISHED: 1,
  FILE_UNREADABLE: 5,
  SOURCE_DAMAGED: 1,
  MARK_UNKNOWN: 1,
  SEALED_GROWN: 1,
  FILE_TOO_LARGE: 1,
  IMMUTABLE: 1,
  STORE_FULL: 5,
  STORE_FAILED: 5,
  STORE_MISSING: 5,
  STORE_REFUSED: 3,
  CLOCK_SKEW: 3,
  ROOT_MISSING: 5,
  READ_ONLY: 5,
  MARK_NOT_KEPT: 5,
  WATCH_FAILED: 5,
  DIFFERENT: 1,
  MISSING: 1,
  EXTRA: 1,
  OTHER_STORE: 1,
  EXPIRE_STOPPED: 1,
  NOT_EXPIRED: 1,
  NOT_FOUND: 1,
  NOT_OVERWRITTEN: 1,
  EVENT_INVALID: 1,
  SCRIPT_FAILED: 1,
  RESYNC_STOPPED: 1,
  LOOP_SUSPECTED: 3,
  BACKUP_DAMAGED: 1,
  KEY_MISSING: 2,
  SOURCE_FAILED: 5,
  NOTICE_FAILED: 1,
  OUTPUT_FAILED: 5,
  INTERRUPTED: 130,
  INTERNAL: 1,
};

describe('exit codes', () => {
  it.each(Object.entries(TABLE) as [ErrorCode, number][])('%s ends a command with %d', (code, exit) => {
    expect(exitCodeOf(code)).toBe(exit);
  });

  it('are all in the help', () => {
    for (const code of Object.values(EXIT)) expect(EXIT_CODE_HELP).toMatch(new RegExp(`^  ${code}  `, 'm'));
  });
});
