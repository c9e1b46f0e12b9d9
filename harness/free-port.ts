import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** Free a moment ago, on loopback: for what has to come back on the same port. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
