import type { StatusBoard } from '../../observe/status/status-board.ts';

/** A board whose alarms are found by looking again and again. */
export interface LookedAtBoard {
  readonly board: StatusBoard;
  /** Raises and clears its alarms. */
  readonly look: () => void | Promise<void>;
}
