import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

/**
 * One address for several receivers: `round-robin PORT…` prints its own port and passes each new connection on to the
 * next of these ports.
 */
const targets = process.argv.slice(2).map(Number);
let next = 0;
const server = createServer({ noDelay: true, allowHalfOpen: true }, (device) => {
  const port = targets[next++ % targets.length]!;
  const receiver = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  device.pipe(receiver).pipe(device);
  device.on('error', () => receiver.destroy()).on('close', () => receiver.destroy());
  receiver.on('error', () => device.destroy()).on('close', () => device.destroy());
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log((server.address() as AddressInfo).port);
