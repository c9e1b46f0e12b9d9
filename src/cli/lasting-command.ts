import type { Log } from '../model/log.ts';
import { briefCommand, type BriefWork, type ConfigReader } from './brief-command.ts';
import type { Run } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import { createReload, type NestedTable, type ReloadTable } from './reload.ts';
import { openServiceManager } from './service-manager.ts';
import { type LogSettings, openScreen, type Screen } from './screen.ts';
import { tellProxies } from './tell-proxies.ts';
import { type StatusSettings, statusToken } from './status/check-status.ts';
import { stopOnSignal } from './stop-signal.ts';

/** What a command that takes its time works with. */
export interface LastingWork<Config> extends BriefWork<Config> {
  readonly screen: Screen;
  readonly log: Log;
  /** Fires at the first SIGINT or SIGTERM, or SIGHUP where it is not for `reloads`. */
  readonly signal: AbortSignal;
  /** Fires when what was under way then has had its time: no server is waited for any longer. */
  readonly cut: AbortSignal;
  /**
   * From now on SIGHUP has settings read again rather than end the command, unless it was started from a terminal. The level of
   * the log can always change; `table` has what else can, and `nested` settings that hold others. To be called once the command
   * serves: systemd is told so, and then what `status` returns when that has changed.
   */
  reloads(table: ReloadTable<Config>, status?: () => string, nested?: NestedTable<Config>): void;
}

interface LastingConfig extends LogSettings, StatusSettings {
  readonly json: boolean;
  /** From the signal to the cut, in ms. Default: as long as a sender or receiver needs. */
  readonly grace?: number;
}

/**
 * A command with a log and, on a terminal, progress. A signal asks it to end: `stopping` is what the log then says, after
 * the name of the signal.
 */
export function lastingCommand<Config extends LastingConfig>(
  reader: ConfigReader<Config>,
  stopping: string,
  work: (given: LastingWork<Config>) => Promise<ExitCode>,
): Run {
  return briefCommand(reader, async (given) => {
    statusToken(given.config);
    using screen = openScreen(given.config, given.output);
    const { log } = screen;
    tellProxies(process.env, log);
    await using manager = openServiceManager(process.env, log);
    using stop = stopOnSignal((name) => {
      manager.stopping();
      log.info(`${name}: ${stopping}`);
    }, given.config.grace);
    const reloads: LastingWork<Config>['reloads'] = (table, status, nested) => {
      const { config, reread } = given;
      const whole = { ...table, logLevel: (next: Config) => log.setLevel(next.logLevel) };
      const reload = createReload({ config, reread, table: whole, nested, log });
      stop.onReload(() => manager.reloading(reload));
      manager.ready(status);
    };
    return await work({ ...given, screen, log, signal: stop.signal, cut: stop.cut, reloads });
  });
}

/** For a command that lets what has begun come to its end. */
export const FINISHING = 'finishing what is in flight; once more stops at once';
