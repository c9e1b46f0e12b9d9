import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SLOW_DOWN, startS3Front, type S3Front } from '../../harness/s3-front.ts';
import { faultyProxy, type FaultyProxy } from '../../harness/faulty-proxy.ts';
import { LATE_MS, type BucketTrouble } from './bucket-trouble.ts';
import type { Random } from '../../harness/random.ts';

const FAILING = { status: 500, code: 'InternalError' };

/** The way from isync to an S3 server: a link that can be made bad, and behind it the server's own troubles. */
export class BucketLink implements AsyncDisposable {
  readonly proxy: FaultyProxy;
  readonly #front: S3Front;
  readonly #random: Random;

  private constructor(proxy: FaultyProxy, front: S3Front, random: Random) {
    this.proxy = proxy;
    this.#front = front;
    this.#random = random;
  }

  static async open(endpoint: string, random: Random): Promise<BucketLink> {
    const front = await startS3Front(endpoint);
    return new BucketLink(await faultyProxy(Number(new URL(front.endpoint).port)), front, random);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.proxy.port}`;
  }

  trouble(trouble: BucketTrouble | undefined): void {
    const front = this.#front;
    const hit = (kind: BucketTrouble['kind']): boolean =>
      trouble?.kind === kind && this.#random.chance(trouble.share);
    front.refuse = () => (hit('busy') ? SLOW_DOWN : hit('failing') ? FAILING : undefined);
    front.cutAnswer = () => hit('unanswered');
    front.holdBody = (_request: IncomingMessage) =>
      hit('slow') ? sleep(this.#random.int(0, LATE_MS)) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy[Symbol.asyncDispose]();
    await this.#front[Symbol.asyncDispose]();
  }
}
