import { IsyncError } from '../model/isync-error.ts';
import { jobsCommand } from './backup/backup-command.ts';

export const runBackupStatus = jobsCommand(async () => {
  throw new IsyncError('INTERNAL', 'there is no status yet');
});
