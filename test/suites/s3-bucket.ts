import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { S3Server } from '../services/s3-server.ts';
import { filesBelow, sha256Of } from './data-tree.ts';

/** A bucket of its own on a test's server, as somebody sees it who knows nothing of isync. */
export class TestBucket {
  readonly name: string;
  readonly server: S3Server;

  private constructor(server: S3Server, name: string) {
    this.server = server;
    this.name = name;
  }

  static async make(server: S3Server): Promise<TestBucket> {
    return new TestBucket(server, await server.makeBucket());
  }

  /** What the command line is told beside the address. */
  get args(): readonly string[] {
    return ['--s3-endpoint', this.server.endpoint];
  }

  async keys(prefix = ''): Promise<string[]> {
    const keys: string[] = [];
    let token: string | undefined;
    do {
      const page = await this.server.client.send(
        new ListObjectsV2Command({ Bucket: this.name, Prefix: prefix, ContinuationToken: token }),
      );
      for (const { Key = '' } of page.Contents ?? []) keys.push(Key);
      token = page.NextContinuationToken;
    } while (token !== undefined);
    return keys;
  }

  async content(key: string): Promise<Buffer> {
    const { Body } = await this.server.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  }

  /** SHA-256 of an object of any size. */
  async sha256(key: string): Promise<string> {
    const { Body } = await this.server.client.send(new GetObjectCommand({ Bucket: this.name, Key: key }));
    return await sha256Of(Body as AsyncIterable<Uint8Array>);
  }

  /** Overwrites or makes an object, behind the back of isync. */
  async write(key: string, content: string): Promise<void> {
    await this.server.client.send(
      new PutObjectCommand({ Bucket: this.name, Key: key, Body: Buffer.from(content) }),
    );
  }

  async remove(key: string): Promise<void> {
    await this.server.client.send(new DeleteObjectCommand({ Bucket: this.name, Key: key }));
  }

  /** What differs between a root and the objects below `folder`, in words; the scan's own marker is not expected. */
  async differences(root: string, folder: string): Promise<string[]> {
    const here = [...(await filesBelow(root)).keys()].filter((path) => !path.endsWith('/finished.watch'));
    const there = new Set(await this.keys(`${folder}/`));
    const faults: string[] = [];
    for (const path of here) {
      if (!there.delete(`${folder}/${path}`)) faults.push(`${path} is missing`);
      else if (!(await readFile(join(root, path))).equals(await this.content(`${folder}/${path}`)))
        faults.push(`${path} differs`);
    }
    return [...faults, ...[...there].map((key) => `${key} is too much`)];
  }
}
