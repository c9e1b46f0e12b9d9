import type { CommandGroup } from '../command.ts';
import { backCommands } from './backup-back.ts';
import { daemonCommands } from './backup-daemon.ts';
import { EXAMPLE } from './backup-options.ts';
import { runCommands } from './backup-run.ts';

export const backup: CommandGroup = {
  name: 'backup',
  summary: 'Make archives of folders and of what commands print, keep them by a rule, restore them',
  usage: '$0 backup run|status [JOB] --config FILE [options]',
  examples: [
    [`$0 backup run ${EXAMPLE}`, 'One backup now'],
    [`$0 backup status ${EXAMPLE}`, 'How do the jobs stand?'],
  ],
  members: [...runCommands, ...backCommands, ...daemonCommands],
};
