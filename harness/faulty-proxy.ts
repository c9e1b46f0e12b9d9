import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A link that can be made bad: everything between a sender and a receiver passes here. */
export interface FaultyProxy extends AsyncDisposable {
  /** `ws://` address that leads to the receiver. */
  readonly url: string;
  readonly port: number;
  /** Connections accepted since the start. */
  readonly connections: number;
  /** Bytes that went on to the receiver, all connections together. */
  readonly bytesUp: number;
  /** Where connections lead to; a port on loopback. */
  target: number;
  /** New connections are cut at once. */
  refuse: boolean;
  /** Bytes are read but go nowhere, in either direction: a half-open link. */
  blackhole: boolean;
  /** Nothing is read from the sender: its buffers fill. */
  stalled: boolean;
  /** Each piece is held for so long, in ms, in either direction. */
  delayMs: number;
  /** Bytes a second, each direction of each connection apart. */
  bytesPerSecond: number;
  /** What becomes of a piece on its way: the pieces that are sent on instead, each by a write of its own. */
  shape: ((piece: Buffer, to: 'receiver' | 'sender') => readonly Buffer[]) | undefined;
  /** Cuts every connection after so many more bytes of the sender; none is passed beyond them. */
  cutAfter(bytes: number): void;
  /** Cuts all connections now. */
  cut(): void;
  /** Nothing passes any more on the connections that stand now, and they stay open; new ones work. */
  deaden(): void;
}

export async function faultyProxy(target: number): Promise<FaultyProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listen();
  return proxy;
}

class TcpProxy implements FaultyProxy {
  target: number;
  refuse = false;
  blackhole = false;
  delayMs = 0;
  bytesPerSecond = Infinity;
  shape: FaultyProxy['shape'];
  connections = 0;
  bytesUp = 0;
  port = 0;
  #stalled = false;
  #left = Infinity;
  readonly #senders = new Set<Socket>();
  readonly #dead = new WeakSet<Socket>();
  readonly #server = createServer((sender) => this.#accept(sender));

  constructor(target: number) {
    this.target = target;
  }

  get url(): string {
    return `ws://127.0.0.1:${this.port}`;
  }

  get stalled(): boolean {
    return this.#stalled;
  }

  set stalled(stalled: boolean) {
    this.#stalled = stalled;
    for (const sender of this.#senders) {
      if (stalled) sender.pause();
      else sender.resume();
    }
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.port = address.port;
  }

  cutAfter(bytes: number): void {
    this.#left = bytes;
  }

  deaden(): void {
    for (const sender of this.#senders) this.#dead.add(sender);
  }

  cut(): void {
    for (const sender of this.#senders) sender.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  #accept(sender: Socket): void {
    this.connections++;
    if (this.refuse) {
      sender.resetAndDestroy();
      return;
    }
    const receiver = connect(this.target, '127.0.0.1');
    this.#senders.add(sender);
    if (this.#stalled) sender.pause();
    this.#pass(sender, receiver, 'receiver');
    this.#pass(receiver, sender, 'sender');
    // Either side's end, however it comes, is the other's.
    for (const socket of [sender, receiver]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#senders.delete(sender);
        sender.destroy();
        receiver.destroy();
      });
    }
  }

  #pass(from: Socket, to: Socket, side: 'receiver' | 'sender'): void {
    from.on('data', (piece) => {
      if (this.blackhole || this.#dead.has(from) || this.#dead.has(to) || !Buffer.isBuffer(piece)) return;
      const passed = side === 'receiver' ? this.#metered(piece) : piece;
      const parts = this.shape?.(passed, side) ?? [passed];
      const write = () => {
        if (this.bytesPerSecond < Infinity) this.#rest(from, passed.length);
        const flowing = parts.map((part) => to.write(part)).every(Boolean);
        if (flowing || this.#stalled) return;
        from.pause();
        to.once('drain', () => {
          if (!this.#stalled) from.resume();
        });
      };
      if (this.delayMs > 0) setTimeout(write, this.delayMs);
      else write();
      if (passed.length < piece.length) this.#cutNow(to);
    });
    from.on('end', () => to.end());
  }

  #metered(piece: Buffer): Buffer {
    const passed = piece.subarray(0, this.#left);
    this.#left -= passed.length;
    this.bytesUp += passed.length;
    return passed;
  }

  #rest(from: Socket, bytes: number): void {
    from.pause();
    setTimeout(
      () => {
        if (!this.#stalled) from.resume();
      },
      (bytes / this.bytesPerSecond) * 1000,
    );
  }

  /** What was passed arrives, then the link is gone. */
  #cutNow(receiver: Socket): void {
    this.#left = Infinity;
    receiver.end(() => this.cut());
  }
}
