import { join } from 'node:path';
import { startS3Front, type S3Front } from './s3-front.ts';
import { digestOfFile, readBack, type Content } from './s3-objects.ts';
import type { S3Server } from './s3-server.ts';
import { writeSparse } from './data-tree.ts';
import { faultyProxy } from './faulty-proxy.ts';
import { startS3Stage } from './s3-stage.ts';
import { untilSealed } from './stage.ts';

/** A part of an upload, in bytes. */
export const PART_BYTES = 8 * 1024 * 1024;
/** What a message of content has beside it, for the size of the file: headers of 64 bytes for 256 KiB. */
const OVERHEAD = 64 / (256 * 1024);

/** All in bytes. */
export interface TakenOver {
  /** Sent beyond the file itself, by the device. */
  readonly sentAgain: number;
  /** Parts that came to the bucket's server more than once, whole or cut. */
  readonly partsTwice: number;
  /** Sent when the receiver died, but not in parts that the bucket had confirmed: on either wire, or in between. */
  readonly inFlight: number;
  /** The object, and the file. */
  readonly kept: Content;
  readonly source: Content;
  /** Most memory of either receiver. */
  readonly peakMemory: number;
}

/**
 * Kills the receiver with half of a file of `size` bytes sent; another one on the same bucket, at the same address,
 * takes over.
 */
export async function takeOver(server: S3Server, size: number, patienceMs: number): Promise<TakenOver> {
  await using front = await startS3Front(server.endpoint);
  await using s3 = await startS3Stage(server, front.endpoint);
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
  const confirmed = partsConfirmed(front) * PART_BYTES;
  await stage.receiver.process.kill();
  const inFlight = address.bytesUp - confirmed;
  await untilSealed(edge, ['DC1'], daemon, patienceMs);

  return {
    sentAgain: Math.round(address.bytesUp - size * (1 + OVERHEAD)),
    inFlight,
    partsTwice: partsTwice(front),
    kept: await readBack(server, s3.bucket, `${s3.prefix}/edge1/DC1/big.bin`),
    source: await digestOfFile(path),
    peakMemory: Math.max(firstPeak, heir.process.peakMemory()),
  };
}

/** How many parts, from the first one on, the server has confirmed. */
function partsConfirmed(front: S3Front): number {
  const numbers = new Set(partNumbers(front.answered.filter(({ status }) => status === 200)));
  let parts = 0;
  while (numbers.has(parts + 1)) parts++;
  return parts;
}

function partsTwice(front: S3Front): number {
  const numbers = partNumbers(front.asked);
  return numbers.length - new Set(numbers).size;
}

function partNumbers(requests: readonly { method: string; url: string }[]): number[] {
  return requests
    .filter(({ method }) => method === 'PUT')
    .map(({ url }) => Number(new URL(url, 'http://localhost').searchParams.get('partNumber') ?? 0))
    .filter((number) => number > 0);
}
