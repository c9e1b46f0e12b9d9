import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { S3Server } from '../services/s3-server.ts';
import { sha256Of, writeSparse } from './data-tree.ts';
import { faultyProxy } from './faulty-proxy.ts';
import { startS3Stage } from './s3-stage.ts';
import { untilSealed } from './stage.ts';

const MIB = 1024 * 1024;
/** A part of an upload, in bytes: what is lost with its receiver. */
const PART_BYTES = 8 * MIB;
/** What was on its way when the receiver died: in the kernels' buffers and in the sender's window, in bytes. */
const IN_FLIGHT_BYTES = 24 * MIB;
export const MAX_SENT_AGAIN = PART_BYTES + IN_FLIGHT_BYTES;

export interface TakenOver {
  /** Bytes that the sender sent beyond the file itself. */
  readonly sentAgain: number;
  /** SHA-256 of the object, and of the file. */
  readonly kept: string;
  readonly source: string;
  /** Most memory of either receiver, in bytes. */
  readonly peakMemory: number;
}

/**
 * Kills the receiver with half of a file of `size` bytes sent; another one on the same bucket, at the same address,
 * takes over.
 */
export async function takeOver(server: S3Server, size: number, patienceMs: number): Promise<TakenOver> {
  await using s3 = await startS3Stage(server);
  const { stage } = s3;
  await using heir = await s3.another();
  await using address = await faultyProxy(stage.receiver.port);
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/finished.parse': '' });
  const path = join(edge.root, 'DC1/big.bin');
  await writeSparse(path, size);

  await using daemon = edge.daemon([], { to: address.url });
  await daemon.until('half to be sent', () => address.bytesUp >= size / 2, patienceMs);
  const firstPeak = stage.receiver.process.peakMemory();
  address.target = heir.port;
  await stage.receiver.process.kill();
  await untilSealed(edge, ['DC1'], daemon, patienceMs);

  return {
    sentAgain: address.bytesUp - size,
    kept: await s3.bucket.sha256(`${s3.prefix}/edge1/DC1/big.bin`),
    source: await sha256Of(createReadStream(path)),
    peakMemory: Math.max(firstPeak, heir.process.peakMemory()),
  };
}
