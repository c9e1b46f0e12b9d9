/** What the commands that read, keep and remove backups are told beside the jobs. */
export const backupBackAsks = {};
