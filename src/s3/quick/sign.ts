import { createHmac, type KeyObject, createSecretKey, hash } from 'node:crypto';
import type { S3Client } from '@aws-sdk/client-s3';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html */
const ALGORITHM = 'AWS4-HMAC-SHA256';
const NO_BODY = sha256('');
/** Headers that the SDK does not sign either, for proxies may change them. Others like it are never sent here. */
const UNSIGNED: ReadonlySet<string> = new Set(['cache-control']);

export interface ToSign {
  readonly method: 'HEAD' | 'GET' | 'PUT';
  readonly bucket: string;
  /** '' for a request to the bucket itself. */
  readonly key: string;
  /** Names and values as they are, not encoded; one that is undefined is left out. */
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  /** Names in lower case; one that is undefined is left out. Values in ASCII. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** `content-md5` must be among the headers: it is signed, and ties the body to the signature. */
  readonly body?: Uint8Array | undefined;
}

export interface Signed {
  readonly method: ToSign['method'];
  /** As it is signed and sent: `/BUCKET/KEY?QUERY`, percent-encoded. */
  readonly path: string;
  /** Names in lower case; `host` is among them. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs requests for objects of a server with the bucket in the path, with the credentials of a client of the SDK and as it would. The
 * SDK's signer takes several times as long, which is much of what a small object costs.
 */
export class QuickSigner {
  readonly #host: string;
  readonly #config: Pick<S3Client['config'], 'credentials' | 'region'>;
  /** The one of today. */
  #key: { readonly of: string; readonly secret: string; readonly key: KeyObject } | undefined;

  constructor({ config }: S3Client, { host }: URL) {
    this.#host = host;
    this.#config = config;
  }

  async sign({ method, bucket, key, query, headers: more, body }: ToSign): Promise<Signed> {
    const { accessKeyId, secretAccessKey, sessionToken } = await this.#config.credentials();
    const region = await this.#config.region();
    const path = `/${bucket}/${key.split('/').map(encoded).join('/')}`;
    // 20261126T143607Z
    const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
    const digest = body === undefined ? NO_BODY : 'UNSIGNED-PAYLOAD';
    const headers: Record<string, string> = {
      host: this.#host,
      'x-amz-content-sha256': digest,
      'x-amz-date': time,
    };
    // An empty one is none.
    if (sessionToken !== undefined && sessionToken !== '') headers['x-amz-security-token'] = sessionToken;
    if (method === 'PUT') headers['content-length'] = String(body?.length ?? 0);
    for (const name in more) {
      const value = more[name];
      if (value !== undefined) headers[name] = value;
    }
    const names = Object.keys(headers)
      .filter((name) => !UNSIGNED.has(name))
      .toSorted();
    const lines = names.map((name) => `${name}:${headers[name]?.trim().replaceAll(/\s+/g, ' ')}\n`);
    const signedHeaders = names.join(';');
    const asked = queryText(query);
    const request = `${method}\n${path}\n${asked}\n${lines.join('')}\n${signedHeaders}\n${digest}`;
    const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
    const signature = createHmac('sha256', this.#keyOf(secretAccessKey, scope))
      .update(`${ALGORITHM}\n${time}\n${scope}\n${sha256(request)}`)
      .digest('hex');
    headers['authorization'] =
      `${ALGORITHM} Credential=${accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
    return { method, path: asked === '' ? path : `${path}?${asked}`, headers };
  }

  #keyOf(secret: string, scope: string): KeyObject {
    if (this.#key?.of !== scope || this.#key.secret !== secret) {
      const bytes = scope
        .split('/')
        .reduce<Buffer>(
          (key, part) => createHmac('sha256', key).update(part).digest(),
          Buffer.from(`AWS4${secret}`),
        );
      this.#key = { of: scope, secret, key: createSecretKey(bytes) };
    }
    return this.#key.key;
  }
}

function sha256(text: string): string {
  return hash('sha256', text);
}

/** In the order in which it is signed. */
function queryText(query: ToSign['query'] = {}): string {
  return Object.entries(query)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${encoded(name)}=${encoded(value)}`]))
    .toSorted()
    .join('&');
}

/** As S3 wants keys to be signed; the same goes over the wire. */
function encoded(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
