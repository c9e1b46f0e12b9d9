import { connect, type Socket } from 'node:net';
import { cephRecord } from '../../harness/ceph-record.ts';

/**
 * Posts events as stores do: `posters PORT PATH CLIENTS SECONDS [RATE]`. Each client has one connection that is kept, and waits
 * for an answer before it posts again; with RATE, so many a second are due in all, and each is reckoned from when it was due.
 * The first second counts for nothing. Prints a JSON object: 200s within the time, other answers, 200s in all, ms by quantile.
 */
const [port = '', path = '', clients = '', seconds = '', rate] = process.argv.slice(2);
/** Before anything is counted, in ms: code is compiled, files have grown. */
const WARM_MS = 1000;
const DIGITS = 9;

const startsAt = performance.now() + WARM_MS;
const endsAt = startsAt + Number(seconds) * 1000;
const tookMs: number[] = [];
let answered = 0;
let refused = 0;
let sent = 0;
const request = prebuilt();

class Client {
  readonly #socket: Socket;
  readonly ended = Promise.withResolvers<void>();
  #left: Buffer = Buffer.alloc(0);
  #since = 0;
  /** Called when an answer is there. */
  onIdle = (): void => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('error', (error) => this.ended.reject(error));
    socket.on('close', () => this.ended.reject(new Error('the server has closed a connection')));
  }

  post(since: number): void {
    this.#since = since;
    this.#socket.write(request(sent++));
  }

  end(): void {
    this.ended.resolve();
    this.#socket.destroy();
  }

  #read(bytes: Buffer): void {
    const all = this.#left.length === 0 ? bytes : Buffer.concat([this.#left, bytes]);
    const head = all.indexOf('\r\n\r\n');
    if (head === -1) return void (this.#left = all);
    const text = all.toString('latin1', 0, head);
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
    if (all.length < head + 4 + length) return void (this.#left = all);
    this.#left = Buffer.alloc(0);
    this.#note(text.startsWith('HTTP/1.1 200 '));
    this.onIdle();
  }

  #note(isTaken: boolean): void {
    const now = performance.now();
    if (!isTaken) refused += 1;
    else answered += 1;
    if (isTaken && this.#since >= startsAt && now < endsAt) tookMs.push(now - this.#since);
  }
}

const all = await Promise.all(Array.from({ length: Number(clients) }, openClient));
if (rate === undefined) postOn(all);
else postAtRate(all, 1000 / Number(rate));
await Promise.all(all.map(({ ended }) => ended.promise));
tookMs.sort((a, b) => a - b);
console.log(
  JSON.stringify({
    accepted: tookMs.length / Number(seconds),
    answered,
    refused,
    p50: tookMs[Math.floor(tookMs.length * 0.5)],
    p99: tookMs[Math.floor(tookMs.length * 0.99)],
  }),
);

async function openClient(): Promise<Client> {
  const socket = connect(Number(port), '127.0.0.1');
  await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return new Client(socket);
}

function postOn(all: readonly Client[]): void {
  for (const client of all) {
    client.onIdle = () => {
      const now = performance.now();
      if (now < endsAt) client.post(now);
      else client.end();
    };
    client.post(performance.now());
  }
}

function postAtRate(all: readonly Client[], everyMs: number): void {
  const idle = [...all];
  let due = performance.now();
  const postDue = (): void => {
    while (due <= performance.now() && due < endsAt) {
      const client = idle.shift();
      if (client === undefined) return;
      client.post(due);
      due += everyMs;
    }
  };
  for (const client of all)
    client.onIdle = () => {
      idle.push(client);
      postDue();
    };
  const timer = setInterval(() => {
    postDue();
    if (due < endsAt || idle.length < all.length) return;
    clearInterval(timer);
    for (const client of all) client.end();
  }, 1);
}

/** A whole request as bytes, of a key that no other has. */
function prebuilt(): (index: number) => Buffer {
  const mark = '#'.repeat(DIGITS);
  const body = cephRecord({ event: 'ObjectCreated:Put', bucket: 'photos', key: `2026/${mark}.jpg` });
  const head = `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n`;
  const whole = Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const at = whole.indexOf(mark);
  return (index) => {
    const bytes = Buffer.from(whole);
    bytes.write(String(index).padStart(DIGITS, '0'), at, 'latin1');
    return bytes;
  };
}
