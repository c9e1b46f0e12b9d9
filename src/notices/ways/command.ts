import { Child } from '../../exec/child.ts';
import { childEnvironment } from '../../exec/child-environment.ts';
import { endingText } from '../../exec/ending-text.ts';
import { IsyncError } from '../../model/isync-error.ts';
import type { Notice } from '../notice.ts';
import { shown } from './post.ts';
import { noticeJson } from './webhook.ts';

/** Runs a program with the notice on its stdin, as JSON. It has taken the notice when it ends with 0. */
export async function runNoticeCommand(
  [program = '', ...args]: readonly string[],
  notice: Notice,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  let last = '';
  const child = new Child({
    program,
    args,
    env: childEnvironment(process.env),
    input: [`${noticeJson(notice)}\n`],
    printed: (stream, line) => {
      if (stream === 'stderr') last = line;
    },
  });
  const stop = (): void => child.stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const ending = await child.ended;
    signal.throwIfAborted();
    if (ending.kind === 'exit' && ending.code === 0) return;
    throw new IsyncError('NOTICE_FAILED', `${program} ${endingText(ending)}${shown(last)}`);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
