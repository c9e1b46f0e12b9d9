import type { Registry } from 'prom-client';
import type { Log } from '../../model/log.ts';
import type { StatusBoard } from '../../observe/status/status-board.ts';
import { type StatusSettings, statusToken } from './check-status.ts';
import { repeatLook } from './repeat-look.ts';
import { showStatus } from './show-status.ts';

/** What a command shows of itself, beside its report. */
export interface StatusParts {
  readonly board: StatusBoard;
  /** Raises and clears the alarms of the board, and asks for what a card can't wait for. */
  readonly look?: (() => void | Promise<void>) | undefined;
  /** Default: one that has the alarms only. */
  readonly metrics?: Registry | undefined;
  /** Why the command can't do its work just now; undefined where it can. Default: it always can. */
  readonly notReady?: (() => string | undefined) | undefined;
  /** What is wrong beside that, told to whoever reads the answer of /readyz. */
  readonly remark?: (() => string | undefined) | undefined;
  /** What /healthz answers, to anybody. Default: "ok". */
  readonly lives?: (() => string) | undefined;
}

interface StatusWork {
  readonly config: StatusSettings;
  readonly log: Log;
}

export interface OpenStatus extends AsyncDisposable {
  /** Undefined where --status was not given. */
  readonly url: string | undefined;
}

/**
 * Shows the board of a command for as long as it runs: called once by every command that runs long. `isync status` and SIGUSR1 can ask
 * it in any case. The server, and all that it needs, is loaded only where --status asks for it.
 * @throws IsyncError CONFIG_INVALID: an address that can't be used, or one beyond loopback without a token
 */
export async function openStatus({ config, log }: StatusWork, parts: StatusParts): Promise<OpenStatus> {
  const { board, look } = parts;
  await using opened = new AsyncDisposableStack();
  opened.use(await showStatus(board, log));
  if (look !== undefined) opened.use(repeatLook(look, log));
  let url: string | undefined;
  if (config.status !== undefined) {
    const [{ Registry }, { measureAlarms }, { startStatus }] = await Promise.all([
      import('prom-client'),
      import('./alarm-metrics.ts'),
      import('../status-server.ts'),
    ]);
    const metrics = parts.metrics ?? new Registry();
    measureAlarms(metrics, board.alarms);
    const server = await startStatus({
      listen: config.status,
      token: statusToken(config),
      board,
      metrics,
      notReady: parts.notReady ?? (() => undefined),
      remark: parts.remark,
      lives: parts.lives,
      log,
    });
    opened.use(server);
    url = server.url;
  }
  const all = opened.move();
  return { url, [Symbol.asyncDispose]: () => all[Symbol.asyncDispose]() };
}
