// A webhook in a process of its own, so that its memory and its event loop are its own: node http-receiver.ts. Prints its port. On
// SIGUSR2 its queue is full, or has room again; on SIGTERM it ends, and prints what it took as JSON.
import { once } from 'node:events';
import { planHeapGrowth } from '../../src/cli/heap-growth.ts';
import { startWebhook } from '../../src/events/http/start-webhook.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { Kept, TOKEN } from './http-support.ts';

planHeapGrowth('receiver');
const kept = new Kept();
const told = { published: 0, parked: 0 };
let isFull = false;
kept.publish = async (messages) => {
  await new Promise(setImmediate);
  if (isFull) throw new IsyncError('STORE_FULL', 'no room');
  told.published += messages.length;
};
kept.parking.park = async () => void told.parked++;
process.on('SIGUSR2', () => {
  isFull = !isFull;
});
const server = await startWebhook({
  ...kept.options({ access: { token: TOKEN } }),
  address: '127.0.0.1',
  port: 0,
});
console.log(server.port);
await once(process, 'SIGTERM');
await server.end();
console.log(
  JSON.stringify({ ...told, lines: kept.log.lines.filter(({ level }) => level !== 'debug').length }),
);
