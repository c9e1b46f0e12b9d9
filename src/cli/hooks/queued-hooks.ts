import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Hook } from '../../config/hook-values.ts';
import type { Log } from '../../model/log.ts';
import type { HookOwner } from '../../notices/hook-notices.ts';
import { openNoticeQueue } from '../../notices/notice-queue.ts';
import { openNotifier } from '../../notices/open-notifier.ts';
import type { NotifyRule, Occasion } from '../../notices/rule.ts';
import type { Hooks, HooksOptions } from './open-hooks.ts';
import { ProblemHook } from './problem-hook.ts';
import { SealHook } from './seal-hook.ts';

/** From each failed try to the next, in ms; then every 15 min. */
const WAITS_MS = [1_000, 10_000, 60_000, 300_000];
/** Tries of one notice: some five days. */
const TRIES = 500;
/** Notices that wait: the directories of weeks, 1 kB each. Beyond, the oldest go. */
const MAX_QUEUED = 10_000;
/** How long the end of a command waits for what it owes, in ms; the next process tells the rest. */
const FLUSH_MS = 5_000;

/** As openHooks, for settings that name a hook. */
export async function openQueuedHooks({ config, owner, alarms, log }: HooksOptions): Promise<Hooks> {
  const rules = [
    ...ruleOf('on-seal', ['seal'], config.onSeal),
    ...ruleOf('on-problem', ['problem', 'solved'], config.onProblem),
  ];
  const opened = new AsyncDisposableStack();
  const queue = opened.use(
    await openNoticeQueue({
      stateDir: await stateFolder(config.hookState, owner, log),
      notifiers: rules.map(openNotifier),
      waitsMs: WAITS_MS,
      maxQueued: MAX_QUEUED,
      log,
    }),
  );
  const ending = new AbortController();
  const cut = new AbortController();
  const delivered = queue.deliver(ending.signal, cut.signal);
  opened.defer(async () => {
    ending.abort();
    const timer = setTimeout(() => cut.abort(), FLUSH_MS);
    await delivered;
    clearTimeout(timer);
    await queue.flush(FLUSH_MS);
  });
  if (config.onProblem !== undefined) {
    const hook = opened.use(new ProblemHook({ owner, queue }));
    opened.defer(alarms.listen(hook.changed));
    // Those of the first look, which nobody had listened to.
    for (const alarm of alarms.all()) hook.changed({ kind: 'raised', alarm });
  }
  return {
    seal: config.onSeal && new SealHook({ owner, queue }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function ruleOf(name: string, on: readonly Occasion[], hook: Hook | undefined): NotifyRule[] {
  if (hook === undefined) return [];
  const way =
    hook.kind === 'url'
      ? ({ type: 'webhook', url: hook.url, headers: {}, body: undefined } as const)
      : ({ type: 'command', command: hook.command } as const);
  return [{ name, on: new Set(on), way, tries: TRIES }];
}

/** Each root, target and store has a folder of its own: several scans of one machine owe their own notices. */
async function stateFolder(chosen: string | undefined, owner: HookOwner, log: Log): Promise<string> {
  const { STATE_DIRECTORY: unit = '', XDG_STATE_HOME: session = '' } = process.env;
  const [unitFolder = ''] = unit.split(':');
  const base =
    chosen ??
    (unitFolder === ''
      ? join(session === '' ? join(homedir(), '.local/state') : session, 'isync')
      : unitFolder);
  const id = createHash('sha256').update(owner.subject).digest('hex').slice(0, 12);
  try {
    await mkdir(base, { recursive: true, mode: 0o700 });
  } catch (err) {
    log.debug('the folder for hooks can not be made', { err });
  }
  return join(base, `hooks-${owner.command}-${id}`);
}
