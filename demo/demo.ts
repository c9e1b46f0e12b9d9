import { DemoFault } from './demo-fault.ts';
import { showDemo } from './show-demo.ts';
import { title } from './story.ts';
import { transferFolder } from './transfer-folder.ts';

const HELP = `npm run demo                    a parser, a sender and a receiver of their own, in a temporary folder
npm run demo -- /some/datas     your data directories, transferred into a temporary folder`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const [root, ...rest] = args;
  if (rest.length > 0 || root?.startsWith('-') === true) {
    console.log(HELP);
    return root === '--help' ? 0 : 2;
  }
  const interrupt = new AbortController();
  const interrupted = new Promise<never>((_, reject) => {
    interrupt.signal.addEventListener('abort', () => reject(new DemoFault('stopped by a signal')));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());
  const started = new AsyncDisposableStack();
  try {
    const work = root === undefined ? showDemo(started) : transferFolder(root, started);
    await Promise.race([work, interrupted]);
    return 0;
  } catch (thrown) {
    const words = thrown instanceof Error ? thrown.message : String(thrown);
    console.error(`\n${title(interrupt.signal.aborted ? 'Stopped.' : `Not done: ${words}`)}`);
    return interrupt.signal.aborted ? 130 : 1;
  } finally {
    // Every process that was started, the latest first.
    await started.disposeAsync();
  }
}
