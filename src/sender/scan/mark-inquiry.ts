import type { RelPath } from '../../model/rel-path.ts';
import type { RoundResult } from './directory-round.ts';
import { checkMarks } from './mark-check.ts';
import type { ScanContext } from './scan-context.ts';
import type { Submissions } from './submissions.ts';
import type { TargetIdentity } from '../target.ts';

/**
 * Answers count for so long, in ms. A target that removes directories by their age leaves one that it was asked about alone for twice as
 * long (src/receiver/retention/directory-uses.ts).
 */
const ANSWER_MS = 5 * 60 * 1000;

/** Asks the target about the marked files of one directory. */
export class MarkInquiry {
  readonly #context: ScanContext;
  readonly #directory: RelPath;
  readonly #submissions: Submissions;
  readonly #rank: number;
  #askedOf: string | undefined;
  #settled = '';
  /** When it was asked last, by both clocks: one stands still while the machine sleeps, the other can be set back. */
  #asked = { wallMs: 0, upMs: 0 };

  constructor(context: ScanContext, directory: RelPath, submissions: Submissions, rank: number) {
    this.#context = context;
    this.#directory = directory;
    this.#submissions = submissions;
    this.#rank = rank;
  }

  /** Who is at the target now; waits until there is somebody. */
  async identify(): Promise<TargetIdentity> {
    const { store, cut } = this.#context;
    return await store.identify({ signal: cut });
  }

  /**
   * For a directory that may stay open for long, once for each incarnation of the target: what was marked while no scan ran
   * need not wait for the seal to be sent.
   */
  async askOnce({ marked }: RoundResult): Promise<void> {
    if (marked.files === 0) return;
    const identity = await this.identify();
    if (this.#askedOf === identity.incarnation) return;
    await this.sendUnknown(marked.files, identity);
    this.#askedOf = identity.incarnation;
  }

  /**
   * For a directory that something else keeps from its seal: what is marked and not at the target goes all the same, once
   * for the files of this round.
   */
  async askAbout({ marked, markedPrint }: RoundResult): Promise<void> {
    if (marked.files === 0) return;
    const identity = await this.identify();
    const question = `${identity.incarnation} ${markedPrint}`;
    if (this.#settled === question) return;
    if ((await this.sendUnknown(marked.files, identity)) === 0) this.#settled = question;
  }

  /**
   * Sends what is marked and not at the target, and resolves to how many files that were; `files` are marked. Also what this
   * scan itself has sent may be gone there: a store can be emptied, or set back, below a receiver that goes on.
   */
  async sendUnknown(files: number, { incarnation, listedMtime }: TargetIdentity): Promise<number> {
    this.#asked = { wallMs: Date.now(), upMs: performance.now() };
    return await checkMarks(this.#context, this.#directory, this.#submissions, {
      rank: this.#rank,
      files,
      listedMtime,
      incarnation,
    });
  }

  /** Whether the answer of the last question still counts; where it is too old, whether the target says so again. */
  async isStillThere(files: number, identity: TargetIdentity): Promise<boolean> {
    const { wallMs, upMs } = this.#asked;
    const ageMs = Math.max(Date.now() - wallMs, performance.now() - upMs);
    return ageMs < ANSWER_MS || (await this.sendUnknown(files, identity)) === 0;
  }
}
