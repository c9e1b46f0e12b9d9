import type { Log } from '../../model/log.ts';

const nothing = (): void => {};

/** For what is opened while checks tell all there is to tell. */
export const silentLog: Log = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  with: () => silentLog,
};
