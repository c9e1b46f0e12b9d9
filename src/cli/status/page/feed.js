import { changed } from './report.js';

/**
 * Keeps a page told of the report, and tells it how the link is. Events are read with fetch, because an EventSource can send no
 * token (see src/cli/status-server.ts).
 * @typedef {import('../../../observe/status/report.ts').StatusReport} StatusReport
 * @typedef {{ state: 'connecting' | 'live' } | { state: 'lost', reason: string, againMs: number } | { state: 'token', wasWrong: boolean }} Link
 * @typedef {{ report: (report: StatusReport, isWhole: boolean) => void, link: (link: Link) => void }} Listener
 */

/** The first wait before another try, and the longest, in ms. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 15_000;
/** An event comes about each second: without one for this long, in ms, the link is gone, whatever it looks like. */
const SILENCE_MS = 8_000;
/** Of this tab, gone with it. */
const KEPT = 'isync-status-token';

export class Feed {
  /** @type {Listener} */
  #listener;
  /** @type {StatusReport | undefined} */
  #report;
  #waitMs = FIRST_WAIT_MS;
  /** @type {(() => void) | undefined} */
  #wake;
  #isFollowing = false;

  /** @param {Listener} listener */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Begins, or tries again now. */
  connect() {
    if (this.#wake !== undefined) this.#wake();
    else if (!this.#isFollowing) void this.#follow();
  }

  /** @param {string} token */
  useToken(token) {
    sessionStorage.setItem(KEPT, token);
    this.#waitMs = FIRST_WAIT_MS;
    this.connect();
  }

  /** Until a token is needed. */
  async #follow() {
    this.#isFollowing = true;
    for (;;) {
      if (this.#report === undefined) this.#listener.link({ state: 'connecting' });
      const reason = await this.#listen();
      if (reason === undefined) break;
      const againMs = this.#waitMs * (0.75 + Math.random() / 2);
      this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
      this.#listener.link({ state: 'lost', reason, againMs });
      await this.#pause(againMs);
    }
    this.#isFollowing = false;
  }

  /** @param {number} ms */
  async #pause(ms) {
    await new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  /**
   * Listens until the link breaks, and says why; undefined where a token is needed first.
   * @returns {Promise<string | undefined>}
   */
  async #listen() {
    const token = sessionStorage.getItem(KEPT);
    const ending = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let silence;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => ending.abort(), SILENCE_MS);
    };
    try {
      heard();
      const response = await fetch('events', {
        headers: token === null ? {} : { authorization: `Bearer ${token}` },
        cache: 'no-store',
        credentials: 'omit',
        signal: ending.signal,
      });
      if (response.status === 401) {
        sessionStorage.removeItem(KEPT);
        this.#listener.link({ state: 'token', wasWrong: token !== null });
        return undefined;
      }
      if (!response.ok || response.body === null) return (await response.text()).trim();
      for await (const event of eventsOf(response.body, heard)) this.#take(event);
      return 'the command has ended, or is starting anew';
    } catch {
      return ending.signal.aborted ? 'nothing comes any more' : 'the command can not be reached';
    } finally {
      clearTimeout(silence);
    }
  }

  /** @param {{ name: string, json: string }} event */
  #take({ name, json }) {
    const told = JSON.parse(json);
    const isWhole = name === 'report';
    if (!isWhole && this.#report === undefined) return;
    this.#report = isWhole || this.#report === undefined ? told : changed(this.#report, told);
    this.#waitMs = FIRST_WAIT_MS;
    this.#listener.link({ state: 'live' });
    if (this.#report !== undefined) this.#listener.report(this.#report, isWhole);
  }
}

/**
 * The events of a stream, as our server writes them: one line of name, one of data.
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {() => void} heard called for all that comes
 */
async function* eventsOf(body, heard) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  /** @type {string[]} */
  let parts = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    parts.push(value);
    // A large report comes in many pieces: they are joined once it is whole.
    if (!value.includes('\n')) continue;
    const blocks = parts.join('').split('\n\n');
    parts = [blocks.pop() ?? ''];
    for (const block of blocks) {
      const [, name = '', json = ''] = /^event: (.*)\ndata: (.*)$/.exec(block) ?? [];
      if (name !== '') yield { name, json };
    }
  }
}
