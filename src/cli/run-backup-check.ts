import { jobsCommand } from './backup/backup-command.ts';
import { runCheck } from './backup/check.ts';

export const runBackupCheck = jobsCommand(runCheck);
