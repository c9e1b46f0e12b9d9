import { jobsCommand } from './backup/backup-command.ts';
import { runDaemon } from './backup/daemon.ts';

export const runBackupDaemon = jobsCommand(runDaemon);
