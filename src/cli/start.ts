import { provideDisposableStacks } from '../model/disposable-stacks.ts';
import { heapPlanFor } from './commands/list.ts';
import { keepCompiled } from './compile-cache.ts';
import { planHeapGrowth } from './heap-growth.ts';

/** Runs the command that `args` ask for, and ends the process with its exit code. */
export async function start(args: readonly string[]): Promise<void> {
  keepCompiled();
  provideDisposableStacks();
  // Node would open its debugger to everybody on this machine.
  process.on('SIGUSR1', () => {});
  // Before anything else is loaded: by then the young generation has grown.
  planHeapGrowth(heapPlanFor(args));
  const { run } = await import('./run.ts');
  await run(args);
}
