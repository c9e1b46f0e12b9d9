import { execFile } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../model/log.ts';

/** How often the status is looked at where no watchdog asks for more, in ms. */
const LOOK_MS = 30_000;
/** For systemd-notify, which waits until systemd has taken the message, in ms. */
const PATIENCE_MS = 10_000;
/** Longest status, in characters: it is one line of "systemctl status". */
const MAX_STATUS = 200;

/** What systemd is told of a command that it has started with Type=notify; nothing where it did not. */
export interface ServiceManager extends AsyncDisposable {
  /** The command serves. From now on its status is told when it has changed, and the watchdog is fed while the event loop turns. */
  ready(status?: () => string): void;
  /** Tells of `reload` while it is done. */
  reloading(reload: () => void): void;
  stopping(): void;
  /** Waits until all of it has been told, for PATIENCE_MS at most: the end of the process would keep it back. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Takes the place of libsystemd, without native code: Node has no datagram sockets of Unix, so systemd's own systemd-notify sends each
 * message (NotifyAccess=all). https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
 */
export function openServiceManager(environment: NodeJS.ProcessEnv, log: Log): ServiceManager {
  const { NOTIFY_SOCKET: socket = '', WATCHDOG_USEC, WATCHDOG_PID = String(process.pid) } = environment;
  // What we start speaks for itself alone.
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete environment[name];
  if (socket === '') return NONE;
  const watchdogMs = WATCHDOG_PID === String(process.pid) ? Number(WATCHDOG_USEC ?? 0) / 1000 : 0;
  return new Notifier({ env: { ...environment, NOTIFY_SOCKET: socket }, watchdogMs, log });
}

const NONE: ServiceManager = {
  ready: () => {},
  reloading: (reload) => reload(),
  stopping: () => {},
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

interface NotifierOptions {
  readonly env: NodeJS.ProcessEnv;
  /** 0 without a watchdog. */
  readonly watchdogMs: number;
  readonly log: Log;
}

class Notifier implements ServiceManager {
  readonly #options: NotifierOptions;
  #sent: Promise<void> = Promise.resolve();
  /** Messages that have not been told yet. */
  #untold = 0;
  /** A look was due meanwhile. It is made up for at once, for the watchdog may not wait for the next one. */
  #isLookDue = false;
  #look = (): void => {};
  #timer: NodeJS.Timeout | undefined;
  #status = '';

  constructor(options: NotifierOptions) {
    this.#options = options;
  }

  ready(status: () => string = () => ''): void {
    if (this.#timer !== undefined) return;
    this.#send(['READY=1', ...this.#changed(status)]);
    const { watchdogMs } = this.#options;
    // Half of the time, as sd_watchdog_enabled(3) advises.
    const everyMs = watchdogMs > 0 ? Math.min(watchdogMs / 2, LOOK_MS) : LOOK_MS;
    this.#look = () => {
      // On a machine so busy that telling takes longer than that, they would gather.
      this.#isLookDue = this.#untold > 0;
      if (this.#isLookDue) return;
      const words = [...(watchdogMs > 0 ? ['WATCHDOG=1'] : []), ...this.#changed(status)];
      if (words.length > 0) this.#send(words);
    };
    this.#timer = setInterval(this.#look, everyMs).unref();
  }

  reloading(reload: () => void): void {
    this.#send(['RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`]);
    reload();
    this.#send(['READY=1']);
  }

  stopping(): void {
    this.#send(['STOPPING=1']);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#look = () => {};
    const told = new AbortController();
    const patience = delay(PATIENCE_MS, undefined, { signal: told.signal }).catch(() => undefined);
    await Promise.race([this.#sent, patience]);
    told.abort();
  }

  #changed(status: () => string): string[] {
    const text = status().replaceAll(/\s+/g, ' ').slice(0, MAX_STATUS);
    if (text === this.#status) return [];
    this.#status = text;
    return [`STATUS=${text}`];
  }

  /** One after the other: systemd takes them in the order in which they come. */
  #send(words: readonly string[]): void {
    const { env, log } = this.#options;
    this.#untold++;
    this.#sent = this.#sent.then(async () => {
      const error = await run(words, env);
      this.#untold--;
      if (error !== undefined) log.warn('systemd could not be told how the service does', { err: error });
      if (this.#isLookDue) this.#look();
    });
  }
}

function run(words: readonly string[], env: NodeJS.ProcessEnv): Promise<Error | undefined> {
  return new Promise((resolve) => {
    try {
      execFile('systemd-notify', words, { env, timeout: PATIENCE_MS }, (error) =>
        resolve(error ?? undefined),
      );
    } catch (error) {
      // There is no memory for a process, say.
      resolve(error instanceof Error ? error : new Error(String(error)));
    }
  });
}
