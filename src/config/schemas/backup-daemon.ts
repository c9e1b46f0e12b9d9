/** What `isync backup daemon` and `check` are told beside the jobs. */
export const backupDaemonAsks = {};
