import { createReadStream } from 'node:fs';
import { ChunkSealer } from '../encrypt/chunk-sealer.ts';
import type { SealSecrets } from '../encrypt/encryption.ts';
import { readRecords } from '../list/read-records.ts';
import { packJob } from '../pack/pack-job.ts';
import type { Packed, PackRequest } from '../pack/pack.ts';

/** A PackRequest that another thread can be told: plain values. */
export interface PackOrder extends Omit<PackRequest, 'base' | 'sealer' | keyof PackHooks> {
  readonly base:
    | {
        readonly version: number;
        /** Its plain list, and the number of records in it. */
        readonly listFile: string;
        readonly records: number;
      }
    | undefined;
  /** Undefined where nothing is encrypted. */
  readonly secrets: SealSecrets | undefined;
}

/** What a PackRequest has beside. */
export type PackHooks = Pick<PackRequest, 'sink' | 'log' | 'signal' | 'onProgress'>;

/** packHere(), or packApart(). */
export type Packer = (order: PackOrder, hooks: PackHooks) => Promise<Packed>;

/** Packs in this thread; see packJob(). */
export async function packHere({ base, secrets, ...order }: PackOrder, hooks: PackHooks): Promise<Packed> {
  return await packJob({
    ...order,
    ...hooks,
    base: base && {
      version: base.version,
      records: readRecords(createReadStream(base.listFile), base.records),
    },
    sealer: secrets && new ChunkSealer(secrets),
  });
}
