import { createInterface } from 'node:readline/promises';
import { IsyncError } from '../../model/isync-error.ts';

/** Asks on a terminal; Enter takes what is proposed. Where there is none, a question is an error that names its option. */
export class Questions implements Disposable {
  #lines: ReturnType<typeof createInterface> | undefined;

  async ask(question: string, proposed: string, option: string): Promise<string> {
    if (!process.stdin.isTTY)
      throw new IsyncError('USAGE', `${option} is not given, and there is no terminal to ask on`, {
        hint: 'Give --role, --where and --name; on a device --join.',
      });
    this.#lines ??= createInterface({ input: process.stdin, output: process.stderr });
    try {
      const answer = (await this.#lines.question(`${question} [${proposed}] `)).trim();
      return answer === '' ? proposed : answer;
    } catch (error) {
      // Ctrl-C or Ctrl-D: readline leaves the cursor behind the question.
      process.stderr.write('\n');
      throw new IsyncError('INTERRUPTED', 'stopped at a question', { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#lines?.close();
  }
}
