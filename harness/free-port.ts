import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below those that Linux gives to connections and to whoever asks for any (ip_local_port_range, from 32,768 on): one of these
 * stays free between now and its use, and while what listens on it is killed and started again.
 */
const FIRST = 10_000;
const LAST = 32_767;

const given = new Set<number>();

/** Free on loopback, and given once: for what has to come back on the same port, and for what nobody may listen on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, LAST + 1);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer().listen(port, '127.0.0.1');
  try {
    await once(probe, 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
