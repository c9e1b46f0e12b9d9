import { IsyncError } from '../../../model/isync-error.ts';
import { isBusy } from '../../../sqlite/sqlite.ts';
import type { Answer, Answers, Call, Command } from './commands.ts';
import { deadOf, deadPage } from './dead-pages.ts';
import { queueFileError } from './open-queue-file.ts';
import type { QueueFile } from './queue-file.ts';
import { toldError } from '../../../model/told-error.ts';

/** How often the file is tried while another process writes to it, in ms, and for how long. */
const TRY_MS = 1;
const GIVE_UP_MS = 10_000;
/** For how long after another process has written a pause is made after each transaction, in ms, and how long that is. */
const SHARED_MS = 1000;
const PAUSE_MS = 1.5;

/** Runs what is asked for, all that waits in one transaction. Blocks its thread. */
export class Transactions {
  readonly #file: QueueFile;
  #version: number;
  #sharedUntil = 0;

  constructor(file: QueueFile) {
    this.#file = file;
    this.#version = file.version;
  }

  /** The answers, when what they tell is durable. Never throws. */
  run(calls: readonly Call[]): readonly Answer[] {
    try {
      return this.#run(calls);
    } catch (thrown) {
      const error = queueFileError(thrown, this.#file.path);
      if (error.code !== 'STORE_FULL') return failed(calls, error);
      this.#makeRoom();
      // On a full disk what makes it emptier must go on.
      const others = calls.filter(({ command }) => command.do !== 'publish');
      if (others.length === 0 || others.length === calls.length) return failed(calls, error);
      const publishes = calls.filter(({ command }) => command.do === 'publish');
      return [...failed(publishes, error), ...this.run(others)];
    }
  }

  /** Gives room back to the disk, after a backlog; true where there is more of it to do. Never throws. */
  tidy(): boolean {
    try {
      return this.#file.shrink();
    } catch {
      // Another process writes, or the disk is full: another time.
      return false;
    }
  }

  #makeRoom(): void {
    try {
      this.#file.checkpoint();
    } catch {
      // There is no room for that either. The callers are told that the disk is full.
    }
  }

  #run(calls: readonly Call[]): readonly Answer[] {
    if (!calls.some(({ command }) => this.#writes(command))) return calls.map((call) => this.#answer(call));
    let answers: readonly Answer[] = [];
    this.#write(() => (answers = calls.map((call) => this.#answer(call))));
    this.#letOthers();
    return answers;
  }

  #writes(command: Command): boolean {
    if (command.do === 'take') return this.#file.hasReady(performance.now());
    return command.do !== 'counts' && command.do !== 'dead' && command.do !== 'deadOf';
  }

  /** SQLite's own wait for a lock sleeps for up to 100 ms at a time, longer than others ever leave the file alone. */
  #write(write: () => void): void {
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (;;) {
      try {
        this.#file.transaction(write);
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
        sleep(TRY_MS);
      }
    }
  }

  /** Between two of our transactions nobody else would find the file free. */
  #letOthers(): void {
    const { version } = this.#file;
    const now = performance.now();
    if (version !== this.#version) this.#sharedUntil = now + SHARED_MS;
    this.#version = version;
    if (now < this.#sharedUntil) sleep(PAUSE_MS);
  }

  #answer({ call, command }: Call): Answer {
    try {
      return { call, value: this.#do(command) };
    } catch (error) {
      // Of the one command. What SQLite says concerns the whole transaction.
      if (error instanceof IsyncError) return { call, error: toldError(error) };
      throw error;
    }
  }

  #do(command: Command): Answers[keyof Answers] {
    const file = this.#file;
    const nowMs = performance.now();
    switch (command.do) {
      case 'publish':
        file.publish(command.messages, Date.now(), nowMs);
        return undefined;
      case 'take':
        return file.take(command.limit, nowMs);
      case 'ack':
        file.remove(command.seq);
        return undefined;
      case 'release':
        file.release(command.seq, command.delayMs, command.failures, nowMs);
        return undefined;
      case 'bury':
        file.bury(command.seq, command.reason, Date.now());
        return undefined;
      case 'giveBack':
        file.giveBack();
        return undefined;
      case 'counts':
        return file.counts();
      case 'dead':
        return deadPage(file, command.after);
      case 'deadOf':
        return deadOf(file, command.id);
      case 'replay':
        return file.replay(command.id);
      case 'drop':
        return file.drop(command.id);
    }
  }
}

function failed(calls: readonly Call[], error: IsyncError): readonly Answer[] {
  return calls.map(({ call }): Answer => ({ call, error: toldError(error) }));
}

const NEVER = new Int32Array(new SharedArrayBuffer(4));

function sleep(ms: number): void {
  Atomics.wait(NEVER, 0, 0, ms);
}
