import { enableCompileCache } from 'node:module';
import { planHeapGrowth } from './heap-growth.ts';

/** Runs the command that `args` ask for, and ends the process with its exit code. */
export async function start(args: readonly string[]): Promise<void> {
  enableCompileCache();
  // Node would open its debugger to everybody on this machine.
  process.on('SIGUSR1', () => {});
  planHeapGrowth(args.includes('receive') ? 'receiver' : 'sender');
  const { run } = await import('./run.ts');
  await run(args);
}
