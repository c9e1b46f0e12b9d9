import type { DigestAlgorithm } from '../model/digest.ts';
import { REPORT_MS } from '../protocol/limits.ts';
import type { Chunk, Files, Hello, Packed, Report, SenderMessage } from '../protocol/messages.ts';
import { unpack } from '../protocol/packing.ts';
import { parseReport, type DeviceReport } from '../protocol/report.ts';
import type { FileIntake } from './file-intake.ts';
import { protocolViolation } from './protocol-violation.ts';
import type { Requests } from './requests.ts';

export interface WelcomedSessionOptions {
  readonly mode: Hello['mode'];
  /** Whether it may READ. */
  readonly reads: boolean;
  readonly algorithm: DigestAlgorithm;
  readonly intake: FileIntake;
  readonly requests: Requests;
  /** Told how many bytes a PACKED message holds, before it is unpacked. */
  readonly onUnpack: (bytes: number) => void;
  /** Told what the device reports of itself. */
  readonly onReport: (report: DeviceReport) => void;
}

/** A session after WELCOME: hands each message to what deals with it. */
export class WelcomedSession {
  readonly #options: WelcomedSessionOptions;
  #reportedMs = -Infinity;

  constructor(options: WelcomedSessionOptions) {
    this.#options = options;
  }

  /** @throws IsyncError PROTOCOL, having touched nothing, where the message breaks a rule */
  dispatch(message: Exclude<SenderMessage, { type: 'keepalive' }>): void {
    const { mode, reads, intake, requests } = this.#options;
    if (message.type === 'look') return requests.look(message);
    if (message.type === 'list') return requests.list(message);
    if (message.type === 'read') {
      if (!reads) throw protocolViolation('READ in a session that gets no content');
      return requests.read(message);
    }
    if (message.type === 'hello') throw protocolViolation('a second HELLO');
    if (mode === 'read') throw protocolViolation(`${message.type} in mode read`);
    const plain = message.type === 'packed' ? this.#unpack(message) : message;
    switch (plain.type) {
      case 'files':
        return intake.files(plain);
      case 'open':
        return intake.open(plain);
      case 'chunk':
        return intake.chunk(plain);
      case 'end':
        return intake.end(plain);
      case 'cancel':
        return intake.cancel(plain);
      case 'seal':
        return requests.seal(plain);
      case 'report':
        return this.#report(plain);
    }
  }

  /** Sends the ACKs of what is durable so far. */
  flush(): void {
    this.#options.intake.flush();
  }

  /** Keeps open uploads for a resume. Resolves, with how many files were kept and refused, when the store has done all. */
  async finish(): Promise<{ readonly acknowledged: number; readonly refused: number }> {
    const { intake, requests } = this.#options;
    intake.suspendUploads();
    await intake.idle();
    await requests.idle();
    return intake.counts;
  }

  #report({ json }: Report): void {
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs < REPORT_MS / 2) return;
    this.#reportedMs = nowMs;
    this.#options.onReport(parseReport(json));
  }

  #unpack(message: Packed): Files | Chunk {
    this.#options.onUnpack(message.length);
    return unpack(message, this.#options.algorithm);
  }
}
