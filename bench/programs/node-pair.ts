import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsync,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statfsSync,
  writeFileSync,
  writeSync,
  type Stats,
} from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import xxhash from 'xxhash-wasm';

/**
 * What two programs of Node need for what isync promises, and nothing else: `node-pair receive STORE` prints its port;
 * `node-pair send ROOT PORT` sends the directory below ROOT once, and marks and seals it. Files are listed, read guarded, digested
 * on both sides, written under another name, given their mtime, synced, renamed and acknowledged once their folder is synced; then
 * marked by their descriptor, and listed again before `finished.parse` goes and `finished.watch` is written.
 *
 * A frame is a type, a length and its content: files (their count of bytes, mtime, digest, name and content each), or the start, a
 * piece or the end of a large one. An answer is one byte, the number of a frame of files, or of the end of a large one.
 */
const FRAME = { files: 1, open: 2, piece: 3, end: 4 } as const;
const FRAME_HEAD = 5;
const FILE_HEAD = 21;
/** Files from here on, in bytes, are sent in pieces of as much; the others many in one frame. */
const PIECE_BYTES = 1024 * 1024;
const BATCH_BYTES = 512 * 1024;
/** Frames and pieces that wait for their answers. Each of their files is open until then. */
const FRAMES_IN_FLIGHT = 4;
/** `f_type` of a tmpfs, where fsync(2) does nothing: the thread pool would cost more. */
const TMPFS = 0x01021994;
const MARK = 0o020;

const xxh = await xxhash();
const [mode, folder = '', port] = process.argv.slice(2);
if (mode === 'receive') await receive(folder);
else await send(folder, Number(port));

async function receive(store: string): Promise<void> {
  const isTmpfs = statfsSync(store).type === TMPFS;
  const sync = isTmpfs ? async (fd: number) => fsyncSync(fd) : promisify(fsync);
  const server = createServer({ noDelay: true }, (socket) => void receiveFrom(socket, store, sync));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log((server.address() as AddressInfo).port);
}

async function receiveFrom(socket: Socket, store: string, sync: (fd: number) => Promise<void>) {
  const directory = join(store, 'DC1');
  mkdirSync(directory);
  let [count, frames] = [0, 0];
  let large:
    | undefined
    | { fd: number; staged: string; name: string; mtime: number; hash: ReturnType<typeof xxh.create64> };
  const syncFolder = async (path: string): Promise<void> => {
    const fd = openSync(path, 'r');
    await sync(fd);
    closeSync(fd);
  };
  const finish = async (fd: number, mtime: number): Promise<void> => {
    futimesSync(fd, mtime, mtime);
    await sync(fd);
    closeSync(fd);
  };
  /** Answers a frame when all it brought is durable. */
  const publish = async (named: readonly { staged: string; name: string }[], syncs: Promise<void>[]) => {
    const answer = Buffer.of(frames++ % 256);
    await Promise.all(syncs);
    for (const { staged, name } of named) renameSync(staged, join(directory, name));
    await syncFolder(directory);
    socket.write(answer);
  };
  const takeFiles = (frame: Buffer): void => {
    const named: { staged: string; name: string }[] = [];
    const syncs: Promise<void>[] = [];
    for (let at = 0; at < frame.length;) {
      const start = at + FILE_HEAD + frame[at + 20]!;
      const end = start + frame.readUInt32LE(at);
      const content = frame.subarray(start, end);
      if (xxh.h64Raw(content) !== frame.readBigUInt64LE(at + 12)) throw new Error('another digest');
      const staged = join(directory, `.staged-${count++}`);
      const fd = openSync(staged, 'wx', 0o644);
      writeSync(fd, content);
      named.push({ staged, name: frame.toString('utf8', at + FILE_HEAD, start) });
      syncs.push(finish(fd, frame.readDoubleLE(at + 4)));
      at = end;
    }
    void publish(named, syncs);
  };
  const takePiece = (type: number, frame: Buffer): void => {
    if (type === FRAME.open) {
      const staged = join(directory, `.staged-${count++}`);
      const name = frame.toString('utf8', FILE_HEAD);
      const fd = openSync(staged, 'wx', 0o644);
      large = { fd, staged, name, mtime: frame.readDoubleLE(4), hash: xxh.create64() };
    } else if (large !== undefined && type === FRAME.piece) {
      large.hash.update(frame);
      for (let done = 0; done < frame.length;) done += writeSync(large.fd, frame, done);
    } else if (large !== undefined) {
      if (large.hash.digest() !== frame.readBigUInt64LE()) throw new Error('another digest');
      void publish([large], [finish(large.fd, large.mtime)]);
    }
  };
  let waiting: Buffer[] = [];
  let [length, wanted] = [0, FRAME_HEAD];
  for await (const read of socket as AsyncIterable<Buffer>) {
    waiting.push(read);
    length += read.length;
    while (length >= wanted) {
      const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
      const end = FRAME_HEAD + bytes.readUInt32LE(1);
      if (length >= end) {
        const frame = bytes.subarray(FRAME_HEAD, end);
        if (bytes[0] === FRAME.files) takeFiles(frame);
        else takePiece(bytes[0]!, frame);
      }
      wanted = length >= end ? FRAME_HEAD : end;
      waiting = [length >= end ? bytes.subarray(end) : bytes];
      length = waiting[0]!.length;
    }
  }
  await syncFolder(store);
}

async function send(root: string, port: number): Promise<void> {
  const directory = join(root, 'DC1');
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  type OpenFile = { readonly fd: number; readonly found: Stats };
  /** Those of each frame that has no answer yet, by its number. */
  const inFlight = new Map<number, readonly OpenFile[]>();
  let frames = 0;
  let wake = (): void => {};
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('the receiver has gone')));
  socket.on('data', (answers) => {
    for (const answer of answers as Buffer) {
      inFlight.get(answer)?.forEach(mark);
      inFlight.delete(answer);
    }
    wake();
  });
  const room = async (most: number): Promise<void> => {
    while (inFlight.size > most || socket.writableLength > FRAMES_IN_FLIGHT * PIECE_BYTES) {
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      if (socket.writableNeedDrain) socket.once('drain', resolve);
      await promise;
    }
  };
  const say = (type: number, pieces: readonly Buffer[]): void => {
    const head = Buffer.alloc(FRAME_HEAD);
    head[0] = type;
    head.writeUInt32LE(
      pieces.reduce((sum, { length }) => sum + length, 0),
      1,
    );
    socket.cork();
    for (const piece of [head, ...pieces]) socket.write(piece);
    socket.uncork();
  };

  let batch: Buffer[] = [];
  let [bytes, open] = [0, [] as OpenFile[]];
  const flush = async (): Promise<void> => {
    if (open.length === 0) return;
    inFlight.set(frames++ % 256, open);
    say(FRAME.files, batch);
    [batch, bytes, open] = [[], 0, []];
    await room(FRAMES_IN_FLIGHT - 1);
  };
  const sendLarge = async (name: string, fd: number, found: Stats): Promise<void> => {
    await flush();
    const hash = xxh.create64();
    say(FRAME.open, [headOf(name, found, 0n)]);
    for (let at = 0; at < found.size; at += PIECE_BYTES) {
      const piece = read(fd, Math.min(PIECE_BYTES, found.size - at), at);
      hash.update(piece);
      say(FRAME.piece, [piece]);
      await room(FRAMES_IN_FLIGHT);
    }
    check(fd, found);
    const digest = Buffer.alloc(8);
    digest.writeBigUInt64LE(hash.digest());
    inFlight.set(frames++ % 256, [{ fd, found }]);
    say(FRAME.end, [digest]);
  };
  const sendOne = async (name: string, found: Stats): Promise<void> => {
    const fd = openSync(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
    check(fd, found);
    if (found.size >= PIECE_BYTES) return await sendLarge(name, fd, found);
    const content = read(fd, found.size, 0);
    check(fd, found);
    batch.push(headOf(name, found, xxh.h64Raw(content)), content);
    bytes += content.length;
    open.push({ fd, found });
    if (bytes >= BATCH_BYTES) await flush();
  };

  for (const [name, found] of list(directory)) await sendOne(name, found);
  await flush();
  await room(0);
  for (const [name, { mode }] of list(directory))
    if ((mode & MARK) === 0) throw new Error(`${name} was changed meanwhile`);
  const parsed = 'finished.parse';
  await sendOne(parsed, lstatSync(join(directory, parsed)));
  await flush();
  await room(0);
  writeFileSync(join(directory, 'finished.watch'), '');
  process.exit();
}

function list(directory: string): [string, Stats][] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('finished.'))
    .map((name) => [name, lstatSync(join(directory, name))]);
}

function headOf(name: string, { size, mtimeMs }: Stats, digest: bigint): Buffer {
  const head = Buffer.alloc(FILE_HEAD + Buffer.byteLength(name));
  head.writeUInt32LE(size >= PIECE_BYTES ? 0 : size);
  head.writeDoubleLE(mtimeMs / 1000, 4);
  head.writeBigUInt64LE(digest, 12);
  head[20] = head.write(name, FILE_HEAD);
  return head;
}

function read(fd: number, size: number, at: number): Buffer {
  const content = Buffer.allocUnsafe(size);
  if (readSync(fd, content, 0, size, at) !== size) throw new Error('a file got shorter');
  return content;
}

/** Throws unless the open file is the one that was found. */
function check(fd: number, found: Stats): void {
  const now = fstatSync(fd);
  if (now.ino !== found.ino || now.size !== found.size || now.ctimeMs !== found.ctimeMs)
    throw new Error('a file was changed');
}

function mark({ fd, found }: { fd: number; found: Stats }): void {
  check(fd, found);
  fchmodSync(fd, found.mode | MARK);
  closeSync(fd);
}

function fail(error: Error): void {
  console.error(error);
  process.exit(1);
}
