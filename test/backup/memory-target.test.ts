import { backupTargetSuite } from '../suites/backup-target.ts';
import { MemoryTarget } from './memory-target.ts';

backupTargetSuite('a target in memory', {
  open: async () => new MemoryTarget(),
  openLocked: async () => new MemoryTarget({ lock: { mode: 'governance', days: 1 } }),
});
