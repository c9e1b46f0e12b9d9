import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Task } from '../../src/events/action/action.ts';
import type { Outcome } from '../../src/events/action/outcome.ts';
import { scriptAction, type ScriptOptions } from '../../src/events/action/script/script-action.ts';
import type { ObjectEvent } from '../../src/events/object-event.ts';
import { RecordingLog } from '../recording-log.ts';
import { temporaryFolder } from '../cli/temporary-folder.ts';

/** Where scripts run, and what they leave. */
export interface ScriptStage {
  readonly folder: string;
  readonly log: RecordingLog;
  /** Writes a script of sh that may leave files in `$HERE`, and gives what runs it for an event. */
  script(text: string, options?: Partial<ScriptOptions>): RunEvent;
  /** What a script left. */
  left(name: string): string;
  /** What scripts printed, of the log. */
  readonly printed: () => { readonly [field: string]: unknown }[];
}

export type RunEvent = (task?: Partial<ScriptTask>, signal?: AbortSignal) => Promise<Outcome>;

type ScriptTask = Omit<Task<undefined>, 'event' | 'target'> & { readonly event: Partial<ObjectEvent> };

const EVENT: ObjectEvent = {
  kind: 'created',
  dialect: 'minio',
  name: 'ObjectCreated:Put',
  bucket: 'photos',
  region: undefined,
  key: 'a/b.jpg',
  size: 3,
  etag: 'abc',
  versionId: 'v1',
  sequencer: undefined,
  timeMs: undefined,
};

export function scriptStage(): ScriptStage {
  const folder = temporaryFolder();
  const log = new RecordingLog();
  let made = 0;
  return {
    folder,
    log,
    script: (text, options = {}) => {
      made += 1;
      const file = join(folder, `script ${made}.sh`);
      writeFileSync(file, `#!/bin/sh\nHERE='${folder}'\n${text}\n`, { mode: 0o755 });
      const action = scriptAction({ file, log, ...options });
      return ({ event, ...task } = {}, signal = new AbortController().signal) =>
        action.act(
          {
            event: { ...EVENT, ...event },
            target: undefined,
            messageId: 'm-1',
            attempt: 1,
            body: () => '{"Records":[{}]}',
            isLastLook: false,
            ...task,
          },
          signal,
        );
    },
    left: (name) => readFileSync(join(folder, name), 'utf8'),
    printed: () => log.lines.filter(({ message }) => message === 'script').map(({ fields }) => fields),
  };
}

/** Files, pipes and sockets that this process has open. */
export function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Whether a process is there and no zombie. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
