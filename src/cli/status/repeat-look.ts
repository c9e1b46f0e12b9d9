import type { Log } from '../../model/log.ts';

/** From the end of a look to the next, in ms: an alarm is raised this soon, and a look costs next to nothing. */
const LOOK_MS = 5_000;

/** Calls `look` at once and again and again; a look that fails is told in the log, and the next one comes all the same. */
export function repeatLook(look: () => void | Promise<void>, log: Log): Disposable {
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const lookOnce = async (): Promise<void> => {
    try {
      await look();
    } catch (err) {
      log.debug('the state of the command could not be looked at', { err });
    }
    if (!isOver) timer = setTimeout(() => void lookOnce(), LOOK_MS).unref();
  };
  void lookOnce();
  return {
    [Symbol.dispose]: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
