import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * What a socket can do. `raw-socket receive` prints its port and answers each connection with one byte once all has
 * come that the first eight bytes announced; `raw-socket send PORT BYTES` prints the seconds from before it connects
 * to that answer.
 */
const HEADER_BYTES = 8;
/** Sent at a time, in bytes. */
const block = Buffer.alloc(256 * 1024, 0xa5);

const [mode, port, bytes] = process.argv.slice(2);
if (mode === 'receive') await receive();
else console.log(await send(Number(port), Number(bytes)));

async function receive(): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    let expected: number | undefined;
    let seen = 0;
    socket.on('error', () => socket.destroy());
    socket.on('data', (piece) => {
      // The header comes alone and is small: it is never torn.
      expected ??= HEADER_BYTES + Number(piece.readBigUInt64BE(0));
      seen += piece.length;
      if (seen >= expected) socket.end('k');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  console.log((server.address() as AddressInfo).port);
}

async function send(port: number, bytes: number): Promise<number> {
  const started = performance.now();
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const answer = once(socket, 'data');
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeBigUInt64BE(BigInt(bytes));
  socket.write(header);
  for (let left = bytes; left > 0; left -= block.length)
    if (!socket.write(block.subarray(0, Math.min(block.length, left)))) await once(socket, 'drain');
  await answer;
  const seconds = (performance.now() - started) / 1000;
  socket.destroy();
  return seconds;
}
