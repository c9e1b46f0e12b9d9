import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { GetObjectCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { filesBelow } from './data-tree.ts';
import type { S3Server } from './s3-server.ts';

/** What a store keeps for itself, below its prefix. */
const OWN = /(^|\/)\.isync\//;

/** What holds them: a server, or whatever else has a client for one. */
type Server = Pick<S3Server, 'client'>;

/** Keys below `prefix`, in the server's order; without what the store keeps for itself. */
export async function keysBelow(server: Server, bucket: string, prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2(
    { client: server.client },
    { Bucket: bucket, Prefix: prefix },
  ))
    for (const { Key = '' } of page.Contents ?? []) if (!OWN.test(Key)) keys.push(Key);
  return keys;
}

export interface Content {
  readonly bytes: number;
  readonly sha256: string;
}

/** SHA-256 of an object's bytes as they are read back, and how many they are. */
export async function readBack(server: Server, bucket: string, key: string): Promise<Content> {
  const { Body } = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
  if (Body === undefined) throw new Error(`${key}: no content`);
  return await digestOfStream(Body as AsyncIterable<Uint8Array>);
}

export async function digestOfFile(path: string): Promise<Content> {
  return await digestOfStream(createReadStream(path));
}

/**
 * What differs between a device's root and what is kept below `prefix`, in words; empty when the keys are the paths and
 * the bytes the same. Our own marker stays at the device.
 */
export async function s3Differences(
  server: Server,
  bucket: string,
  prefix: string,
  root: string,
): Promise<string[]> {
  const paths = [...(await filesBelow(root)).keys()].filter((path) => !path.endsWith('/finished.watch'));
  const keys = new Set(await keysBelow(server, bucket, `${prefix}/`));
  const found: string[] = [];
  for (const path of paths) {
    const key = `${prefix}/${path}`;
    if (!keys.delete(key)) found.push(`${path}: missing`);
    else if ((await readBack(server, bucket, key)).sha256 !== (await digestOfFile(join(root, path))).sha256)
      found.push(`${path}: different bytes`);
  }
  return [...found, ...[...keys].map((key) => `${key}: nobody sent it`)];
}

async function digestOfStream(stream: AsyncIterable<Uint8Array>): Promise<Content> {
  const hash = createHash('sha256');
  let bytes = 0;
  await pipeline(stream, async (pieces) => {
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
    }
  });
  return { bytes, sha256: hash.digest('hex') };
}

/** An object as a text; undefined where there is none. */
export async function textOf(server: Server, bucket: string, key: string): Promise<string | undefined> {
  try {
    const { Body } = await server.client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
    return await Body?.transformToString();
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'NoSuchKey') return undefined;
    throw thrown;
  }
}
