import { createHash, createHmac } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';

const NO_BODY = createHash('sha256').digest('hex');

/** What a request without a body is sent with. */
export interface SignedRequest {
  /** As it is signed and sent: `/BUCKET/KEY`, percent-encoded. */
  readonly path: string;
  /** Names in lower case; `host` is among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs requests for objects of a server with the bucket in the path, as a client of the SDK would, without the SDK's layers.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
export class Signer {
  readonly #client: S3Client;
  readonly #host: string;
  #signingKey: { readonly of: string; readonly key: Buffer } | undefined;

  constructor(client: S3Client, endpoint: URL) {
    this.#client = client;
    this.#host = endpoint.host;
  }

  /** @param more further headers, names in lower case */
  async sign(
    method: 'GET' | 'HEAD',
    { bucket, key }: { readonly bucket: string; readonly key: string },
    more: Readonly<Record<string, string>>,
  ): Promise<SignedRequest> {
    const path = `/${bucket}/${key.split('/').map(encoded).join('/')}`;
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#client.config.credentials();
    const region = await this.#client.config.region();
    const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const date = time.slice(0, 8);
    const headers: Record<string, string> = {
      ...more,
      host: this.#host,
      'x-amz-content-sha256': NO_BODY,
      'x-amz-date': time,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
    };
    const names = Object.keys(headers).toSorted();
    const signed = names.join(';');
    const lines = names.map((name) => `${name}:${headers[name]}`);
    const canonical = [method, path, '', ...lines, '', signed, NO_BODY].join('\n');
    const scope = `${date}/${region}/s3/aws4_request`;
    const text = `AWS4-HMAC-SHA256\n${time}\n${scope}\n${createHash('sha256').update(canonical).digest('hex')}`;
    const signature = createHmac('sha256', this.#keyFor(secretAccessKey, date, region))
      .update(text)
      .digest('hex');
    headers['authorization'] =
      `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`;
    return { path, headers };
  }

  #keyFor(secret: string, date: string, region: string): Buffer {
    const of = `${date} ${region} ${secret}`;
    if (this.#signingKey?.of === of) return this.#signingKey.key;
    let key = Buffer.from(`AWS4${secret}`);
    for (const part of [date, region, 's3', 'aws4_request'])
      key = createHmac('sha256', key).update(part).digest();
    this.#signingKey = { of, key };
    return key;
  }
}

/** As S3 wants keys to be signed; the same goes over the wire. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
