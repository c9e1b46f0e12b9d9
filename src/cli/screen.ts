import { createLog, type LeveledLog, type LogLevel } from '../observe/log.ts';
import { Progress, type ProgressState } from '../observe/progress.ts';
import { StatusLine } from '../observe/status-line.ts';
import type { Output } from './output.ts';

/** What a command shows on stderr while it works. */
export interface Screen extends Disposable {
  readonly log: LeveledLog;
  /** Whether anybody sees progress: stderr is a terminal. */
  readonly isShown: boolean;
  /** Shows progress until the screen is disposed; does nothing where stderr is no terminal. */
  showProgress(state: () => ProgressState): void;
}

export function openScreen(logLevel: LogLevel, output: Output): Screen {
  const statusLine = process.stderr.isTTY ? new StatusLine(process.stderr) : undefined;
  output.statusLine = statusLine;
  let progress: Progress | undefined;
  return {
    log: createLog(logLevel, statusLine),
    isShown: statusLine !== undefined,
    showProgress(state) {
      if (statusLine !== undefined) progress = new Progress(statusLine, state);
    },
    [Symbol.dispose]: () => progress?.[Symbol.dispose](),
  };
}
