import { jobsCommand } from './backup/backup-command.ts';
import { backupChecks } from './doctor/backup.ts';
import { tellChecks } from './doctor/tell.ts';

export const doctorOfBackup = jobsCommand(
  async (given) => await tellChecks(given.output, backupChecks(given)),
);
