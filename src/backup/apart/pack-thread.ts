import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { errorFrom, toldError } from '../../model/told-error.ts';
import type { Asked, ThreadWork, Told } from './messages.ts';
import { packHere } from './pack-order.ts';
import { SlotSink } from './slot-sink.ts';
import { ThreadLog } from './thread-log.ts';

/** The thread that packs: see packApart(). */

if (parentPort !== null) await serve(parentPort, workerData);

async function serve(port: MessagePort, { order, slots }: ThreadWork): Promise<void> {
  const tell = (told: Told): void => port.postMessage(told);
  const stop = new AbortController();
  const sink = new SlotSink(slots, (piece) => tell({ piece }));
  port.on('message', (asked: Asked) => {
    if ('taken' in asked) sink.taken(asked.taken);
    else if ('refused' in asked) sink.refuse(errorFrom(asked.refused));
    else stop.abort(errorFrom(asked.aborted));
  });
  try {
    const packed = await packHere(order, {
      sink,
      log: new ThreadLog(tell),
      signal: stop.signal,
      onProgress: (progress) => tell({ progress }),
    });
    await sink.end();
    tell({ packed });
  } catch (error) {
    tell({ failed: toldError(error) });
  } finally {
    port.close();
  }
}
