import { IsyncError } from '../model/isync-error.ts';
import { jobsCommand } from './backup/backup-command.ts';
import { runDaemon } from './backup/daemon.ts';
import { EXIT } from './exit-codes.ts';

export const runBackupDaemon = jobsCommand(async (given) => {
  try {
    return await runDaemon(given);
  } catch (error) {
    // As of a run: somebody else does it already.
    if (error instanceof IsyncError && error.code === 'BUSY')
      return given.output.failed(error, {}, EXIT.PROBLEMS);
    // It came while something was opened: as later, that is no failure of a daemon.
    if (given.signal.aborted && error === given.signal.reason) return EXIT.DONE;
    throw error;
  }
});
