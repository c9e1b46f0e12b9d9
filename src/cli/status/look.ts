import { IsyncError, toIsyncError } from '../../model/isync-error.ts';
import { askSocket } from '../../observe/status/ask-socket.ts';
import type { ToldReport } from '../../observe/status/parse-report.ts';
import { runtimeFolders, runtimePlace } from '../../observe/status/runtime-folder.ts';
import { socketsIn } from '../../observe/status/status-socket.ts';

/** What was found in one look. */
export interface Look {
  readonly reports: readonly ToldReport[];
  /** Commands that run and could not be asked. */
  readonly silent: readonly Silent[];
}

export interface Silent {
  readonly command: string;
  readonly pid: number;
  readonly error: IsyncError;
}

/**
 * Asks every command of this machine that we may ask, all at once.
 * @throws IsyncError UNREACHABLE where none is there
 */
export async function lookHere(): Promise<Look> {
  const sockets = runtimeFolders(runtimePlace()).flatMap(socketsIn);
  const asked = await Promise.all(
    sockets.map(async ({ path, command, pid }) => {
      try {
        const report = await askSocket(path);
        return { reports: report === undefined ? [] : [report], silent: [] };
      } catch (error) {
        return { reports: [], silent: [{ command, pid, error: toIsyncError(error, 'INTERNAL') }] };
      }
    }),
  );
  const reports = asked.flatMap((one) => one.reports);
  const silent = asked.flatMap((one) => one.silent);
  if (reports.length + silent.length > 0) return { reports, silent };
  throw new IsyncError('UNREACHABLE', 'no command of isync that can be asked is running here', {
    hint: 'Ask as the user that runs it, or as root; --url asks a status page (--status HOST:PORT of a command).',
  });
}

/** Whether a person should look: something is wrong, or a command does not say. */
export function needsPerson({ reports, silent }: Look): boolean {
  return silent.length > 0 || reports.some(({ alarmCount }) => alarmCount > 0);
}
