import { CLOSE } from '../protocol/close-codes.ts';
import type { ReceiverSession } from './session.ts';

/** Keeps one write session a device: the newest. */
export class WriterFence {
  /** By device. A session stays here until it touches the store no more. */
  readonly #writers = new Map<string, ReceiverSession>();

  /** Closes the device's older session with 4409; resolves when it touches the store no more. */
  async take(device: string, session: ReceiverSession): Promise<void> {
    const older = this.#writers.get(device);
    this.#writers.set(device, session);
    older?.close(CLOSE.FENCED, 'a newer session of this device took over');
    await older?.end();
  }

  /** To be called when `session` has ended. */
  leave(session: ReceiverSession): void {
    for (const [device, writer] of this.#writers) if (writer === session) this.#writers.delete(device);
  }
}
