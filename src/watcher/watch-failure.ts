import { errnoOf } from '../model/isync-error.ts';

/** What an error of a watch means, for people and for what to do. */
export interface WatchFailure {
  readonly message: string;
  readonly hint: string | undefined;
  /** Part of the directory has no watch and will have none. */
  readonly noWatch: boolean;
}

export const WATCH_LIMIT = {
  message: 'the limit of inotify watches is reached',
  hint: 'Raise it: sysctl fs.inotify.max_user_watches=1048576. Until then files are found by listing.',
  noWatch: true,
};
export const INSTANCE_LIMIT = {
  message: 'the limit of inotify instances or open files is reached',
  hint: 'Raise it: sysctl fs.inotify.max_user_instances=1024, ulimit -n. Until then files are found by listing.',
  noWatch: true,
};

export function watchFailure(error: Error): WatchFailure {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC') return WATCH_LIMIT;
  if (errno === 'EMFILE' || errno === 'ENFILE') return INSTANCE_LIMIT;
  const noWatch = errno === 'ENOMEM' || errno === 'WATCH_FAILED';
  return { message: error.message, hint: undefined, noWatch };
}
