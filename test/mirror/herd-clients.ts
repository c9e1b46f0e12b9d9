import { connect, type Socket } from 'node:net';
import { contentOf } from '../../harness/data-tree.ts';
import { Random } from '../../harness/random.ts';

/**
 * A herd in a process of its own: `node herd-clients.ts JSON`, see {@link HerdOrder}. Prints a {@link HerdReport} when the last client
 * is done.
 */

export interface HerdOrder {
  readonly port: number;
  readonly path: string;
  /** Of the body: that of `contentOf(path, size)`. */
  readonly size: number;
  readonly clients: number;
  /** Bytes a second that a client takes which reads slowly. */
  readonly slowBytes: number;
  readonly seed: number;
}

export interface HerdReport {
  /** Clients that got every byte, those that read slowly among them, and those that left. */
  readonly whole: number;
  readonly slow: number;
  readonly left: number;
  /** What went wrong with others, each once. */
  readonly wrong: readonly string[];
  /** By `Isync-Mirror`. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly bytes: number;
  readonly seconds: number;
}

/** A tenth each. */
type Kind = 'reads' | 'slow' | 'leaves';

/** Bytes read at a time: one buffer serves all clients, since each looks at it at once. */
const BUFFER_BYTES = 256 * 1024;
/** How often a client that reads slowly reads, in ms. */
const SLOW_STEP_MS = 100;
/** Longest head of an answer. */
const MOST_HEAD = 8 * 1024;

const order = JSON.parse(process.argv[2] ?? '') as HerdOrder;
const content = contentOf(order.path, order.size);
const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
const random = new Random(order.seed);
const outcomes: Record<string, number> = {};
const wrong = new Set<string>();
let [whole, slow, left, bytes] = [0, 0, 0, 0];

class Client {
  readonly done: Promise<void>;
  readonly #kind: Kind;
  /** Bytes of the body after which it leaves; below 0: before there is an answer. */
  readonly #leavesAt: number;
  readonly #over = Promise.withResolvers<void>();
  readonly #socket: Socket;
  #head: string | undefined = '';
  #at = 0;
  #credit = Infinity;
  #timer: NodeJS.Timeout | undefined;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#leavesAt = kind === 'leaves' ? random.int(-order.size / 5, order.size - 1) : Infinity;
    this.done = this.#over.promise;
    this.#socket = connect({
      host: '127.0.0.1',
      port: order.port,
      onread: { buffer, callback: (length) => this.#take(buffer.subarray(0, length)) },
    });
    this.#socket.on('connect', () => {
      this.#socket.write(`GET ${order.path} HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n\r\n`);
      if (this.#leavesAt < 0) this.#leave();
    });
    this.#socket.on('error', (error) => this.#fail(error.message));
    this.#socket.on('close', () => this.#fail(`the connection ended after ${this.#at} bytes`));
    if (kind === 'slow') this.#slowDown();
  }

  /** Returns whether it goes on reading. */
  #take(piece: Buffer): boolean {
    const body = this.#head === undefined ? piece : this.#takeHead(piece);
    if (body.length > 0) this.#takeBody(body);
    this.#credit -= piece.length;
    return this.#credit > 0;
  }

  #takeHead(piece: Buffer): Buffer {
    const before = this.#head?.length ?? 0;
    const head = `${this.#head}${piece.toString('latin1')}`;
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) {
      this.#head = head;
      if (head.length > MOST_HEAD) this.#fail('the head of the answer has no end');
      return Buffer.alloc(0);
    }
    this.#head = undefined;
    const outcome = /^isync-mirror: (\w+)/im.exec(head)?.[1] ?? 'none';
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (!head.startsWith('HTTP/1.1 200 ')) this.#fail(head.slice(0, head.indexOf('\r')));
    if (!head.toLowerCase().includes(`\r\ncontent-length: ${order.size}\r\n`)) this.#fail('another length');
    return piece.subarray(end + 4 - before);
  }

  #takeBody(piece: Buffer): void {
    const end = this.#at + piece.length;
    if (end > order.size || piece.compare(content, this.#at, end) !== 0)
      return this.#fail(`other bytes near ${this.#at}`);
    this.#at = end;
    bytes += piece.length;
    if (end >= this.#leavesAt) this.#leave();
    else if (end === order.size) this.#end(() => (this.#kind === 'slow' ? (slow += 1) : 0, (whole += 1)));
  }

  #slowDown(): void {
    const step = (order.slowBytes * SLOW_STEP_MS) / 1000;
    this.#credit = step;
    this.#timer = setInterval(() => {
      this.#credit = Math.min(step, this.#credit + step);
      if (this.#credit > 0) this.#socket.resume();
    }, SLOW_STEP_MS);
  }

  #leave(): void {
    this.#end(() => (left += 1));
  }

  #fail(reason: string): void {
    this.#end(() => wrong.add(`${this.#kind}: ${reason}`));
  }

  /** The first end counts. */
  #end(count: () => unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#timer);
    count();
    this.#socket.destroy();
    this.#over.resolve();
  }

  #isOver = false;
}

function kindOf(index: number): Kind {
  if (index % 10 === 3) return 'slow';
  return index % 10 === 7 ? 'leaves' : 'reads';
}

const since = performance.now();
const clients = Array.from({ length: order.clients }, (_, index) => new Client(kindOf(index)));
await Promise.all(clients.map(({ done }) => done));
const seconds = (performance.now() - since) / 1000;
console.log(
  JSON.stringify({
    whole,
    slow,
    left,
    wrong: [...wrong].slice(0, 20),
    outcomes,
    bytes,
    seconds,
  } satisfies HerdReport),
);
