import { z } from 'zod';
import type {
  PackedPart,
  PackRecord,
  PartRecord,
  RunRecord,
  UploadRecord,
  VerificationRecord,
} from './job-state.ts';

/** Rows of the tables as the records that they are. */

const number = z.number();
const text = z.string();
const numberOrNone = number.nullable().transform((value) => value ?? undefined);
const textOrNone = text.nullable().transform((value) => value ?? undefined);
const bytes = z.instanceof(Uint8Array).nullable();
const type = z.enum(['full', 'incremental']);
const texts = text.transform((value) => z.array(text).parse(JSON.parse(value)));

const runRow = z.object({
  id: text,
  startedMs: number,
  endedMs: numberOrNone,
  type,
  trigger: z.enum(['schedule', 'command', 'catch-up']),
  stage: z.enum([
    'before',
    'packing',
    'uploading',
    'finishing',
    'pruning',
    'done',
    'problems',
    'failed',
    'interrupted',
  ]),
  files: number,
  bytes: number,
  retries: number,
  problems: number,
  backups: texts,
  error: text
    .nullable()
    .transform((value) =>
      value === null ? undefined : z.object({ code: text, message: text }).parse(JSON.parse(value)),
    ),
});

const packRow = z
  .object({
    run: text,
    version: number,
    name: text,
    type,
    base: numberOrNone,
    startedMs: number,
    partBytes: number,
    header: bytes,
    fileKey: bytes,
    nonce: bytes,
    size: number.nullable(),
    sha256: text.nullable(),
    isOverflowed: number.transform((value) => value === 1),
    targets: texts,
  })
  .transform(({ header, fileKey, nonce, size, sha256, ...pack }) => ({
    ...pack,
    secrets: header === null || fileKey === null || nonce === null ? undefined : { header, fileKey, nonce },
    packed: size === null || sha256 === null ? undefined : { size, sha256 },
  }));

const uploadRow = z.object({
  version: number,
  key: text,
  id: text,
  outcome: z.enum(['pending', 'complete', 'failed']),
});

const partRow = z.object({
  number,
  size: number,
  md5: text,
  status: z.enum(['pending', 'done', 'failed']),
  etag: textOrNone,
  changedMs: number,
});

const digestRow = z.object({ number, size: number, md5: text });

const verificationRow = z.object({
  atMs: number,
  depth: z.enum(['shallow', 'sample', 'deep', 'source']),
  fault: textOrNone,
  readTo: number,
});

export const runOf = (row: unknown): RunRecord => runRow.parse(row);
export const packOf = (row: unknown): PackRecord => packRow.parse(row);
export const uploadOf = (row: unknown): UploadRecord => uploadRow.parse(row);
export const digestOf = (row: unknown): PackedPart => digestRow.parse(row);
export const partOf = (row: unknown): PartRecord => partRow.parse(row);
export const verificationOf = (row: unknown): VerificationRecord => verificationRow.parse(row);
