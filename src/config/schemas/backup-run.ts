import { flag, oneOf } from '../fields.ts';

/** What `isync backup run` is told beside the jobs. */
export const backupRunAsks = {
  /** Undefined: as `full` of the job has it. */
  type: oneOf('full', 'incremental').optional(),
  trigger: oneOf('command', 'schedule', 'catch-up').default('command'),
  rehash: flag(),
  dryRun: flag(),
  adopt: flag(),
  wait: flag(),
};
