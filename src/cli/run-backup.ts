import { IsyncError } from '../model/isync-error.ts';
import { jobCommand } from './backup/backup-command.ts';

export const runBackup = jobCommand(async ({ job }) => {
  throw new IsyncError('INTERNAL', `${job.name} can't be run yet`);
});
