import { createHash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';
import { SignatureV4 } from '@smithy/signature-v4';

const NO_BODY = createHash('sha256').digest('hex');

export interface ToSign {
  readonly method: 'HEAD' | 'GET' | 'PUT';
  readonly bucket: string;
  readonly key: string;
  /** Names in lower case; one that is undefined is left out. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** `content-md5` must be among the headers: it is signed, and ties the body to the signature. */
  readonly body?: Uint8Array | undefined;
}

export interface Signed {
  readonly method: ToSign['method'];
  /** As it is signed and sent: `/BUCKET/KEY`, percent-encoded. */
  readonly path: string;
  /** Names in lower case; `host` is among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs requests for objects of a server with the bucket in the path, as a client of the SDK would, with the SDK's signer. */
export class QuickSigner {
  readonly #endpoint: URL;
  readonly #signer: SignatureV4;

  constructor({ config: { credentials, region, sha256 } }: S3Client, endpoint: URL) {
    this.#endpoint = endpoint;
    this.#signer = new SignatureV4({
      credentials,
      region,
      sha256,
      service: 's3',
      // Keys are escaped once.
      uriEscapePath: false,
      applyChecksum: false,
    });
  }

  async sign({ method, bucket, key, headers: more, body }: ToSign): Promise<Signed> {
    const { protocol, hostname, host } = this.#endpoint;
    const path = `/${bucket}/${key.split('/').map(encoded).join('/')}`;
    const given: Record<string, string> = {
      host,
      'x-amz-content-sha256': body === undefined ? NO_BODY : 'UNSIGNED-PAYLOAD',
      ...(method === 'PUT' && { 'content-length': String(body?.length ?? 0) }),
    };
    for (const [name, value] of Object.entries(more)) if (value !== undefined) given[name] = value;
    const { headers } = await this.#signer.sign({
      method,
      protocol,
      hostname,
      path,
      query: {},
      headers: given,
    });
    return { method, path, headers };
  }
}

/** As S3 wants keys to be signed; the same goes over the wire. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
