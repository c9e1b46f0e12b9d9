import type { Log } from '../../model/log.ts';
import { openRuntimeFolder, runtimePlace } from '../../observe/status/runtime-folder.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { statusFields } from '../../observe/status/status-fields.ts';
import { openStatusSocket } from '../../observe/status/status-socket.ts';

/**
 * Shows what is on a board to `isync status`, and in the log when SIGUSR1 comes. Never rejects: a command that can't be asked says so once
 * and does its work.
 */
export async function showStatus(board: StatusBoard, log: Log): Promise<AsyncDisposable> {
  await using shown = new AsyncDisposableStack();
  const tell = (): void => log.info('status', statusFields(board.report()));
  // A listener also keeps Node from opening its debugger; that of start.ts stays when this one goes.
  process.on('SIGUSR1', tell);
  shown.defer(() => void process.off('SIGUSR1', tell));
  try {
    const folder = openRuntimeFolder(runtimePlace());
    const { command } = board;
    shown.use(await openStatusSocket({ folder, command, report: () => board.report() }));
  } catch (err) {
    log.warn('isync status can not ask this command: it has no socket', { err });
  }
  return shown.move();
}
