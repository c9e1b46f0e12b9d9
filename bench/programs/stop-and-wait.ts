import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { WebSocket, WebSocketServer } from 'ws';

/**
 * The plain way over a WebSocket: one file, one answer. `stop-and-wait receive FOLDER` prints its port and answers
 * when it has written a file (without fsync); `stop-and-wait send FOLDER PORT COUNT` sends the first COUNT files of a
 * folder and prints the seconds from the first one to the last answer.
 */
const [mode, folder = '', port, count] = process.argv.slice(2);
if (mode === 'receive') await receive();
else console.log(await send());

async function receive(): Promise<void> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false });
  server.on('connection', (socket) => {
    socket.on('message', (bytes: Buffer) => {
      const nameEnd = 1 + bytes[0]!;
      writeFileSync(join(folder, bytes.toString('utf8', 1, nameEnd)), bytes.subarray(nameEnd));
      socket.send('ok');
    });
  });
  await once(server, 'listening');
  console.log((server.address() as AddressInfo).port);
}

async function send(): Promise<number> {
  const files = readdirSync(folder).filter((name) => name !== 'finished.parse');
  const names = files.slice(0, Number(count));
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  await once(socket, 'open');
  const started = performance.now();
  for (const name of names) {
    const answer = once(socket, 'message');
    socket.send(Buffer.concat([Buffer.of(name.length), Buffer.from(name), readFileSync(join(folder, name))]));
    await answer;
  }
  const seconds = (performance.now() - started) / 1000;
  socket.terminate();
  return seconds;
}
