import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSign } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import { once } from 'node:events';
import type { AddressInfo, LookupFunction } from 'node:net';
import { httpsGet, type HttpsGetOptions, type SnsGet } from '../../src/events/http/sns/https-get.ts';

export const REGION = 'eu-west-1';
export const SNS_HOST = `sns.${REGION}.amazonaws.com`;
export const TOPIC = `arn:aws:sns:${REGION}:123456789012:photos`;

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

interface Wanted {
  readonly by: string;
  /** Names, as openssl writes them. Default: none, so that the common name counts. */
  readonly san?: string;
  readonly cn?: string;
  readonly ca?: boolean;
  readonly days?: number;
  readonly bits?: number;
}

/** Makes certificates with openssl: an authority, one below it, and what they issue. */
export class SnsAuthority implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'isync-sns-'));

  constructor() {
    for (const name of ['root', 'stranger'])
      this.#openssl(
        `req -x509 -newkey rsa:2048 -nodes -days 30 -keyout ${name}.key -out ${name}.pem -subj /CN=${name}`,
      );
    this.issue('middle', { by: 'root', ca: true, cn: 'middle' });
  }

  get root(): string {
    return this.read('root.pem');
  }

  issue(
    name: string,
    { by, san, cn = 'sns.amazonaws.com', ca = false, days = 20, bits = 2048 }: Wanted,
  ): Pair {
    const lines = [`basicConstraints=critical,CA:${ca ? 'TRUE' : 'FALSE'}`];
    if (san !== undefined) lines.push(`subjectAltName=${san}`);
    writeFileSync(join(this.#folder, 'ext'), `${lines.join('\n')}\n`);
    this.#openssl(`req -newkey rsa:${bits} -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${cn}`);
    this.#openssl(
      `x509 -req -in ${name}.csr -CA ${by}.pem -CAkey ${by}.key -CAcreateserial -days ${days} -extfile ext -out ${name}.pem`,
    );
    return { cert: this.read(`${name}.pem`), key: this.read(`${name}.key`) };
  }

  read(name: string): string {
    return readFileSync(join(this.#folder, name), 'utf8');
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }

  #openssl(command: string): void {
    execFileSync('openssl', command.split(' '), { cwd: this.#folder, stdio: 'ignore' });
  }
}

export interface Answer {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  /** Begins, and never ends. */
  readonly hangs?: boolean;
}

/** An HTTPS server that all hosts lead to, and what was asked of it. */
export class SnsServer implements AsyncDisposable {
  readonly asked: string[] = [];
  /** Hosts that were looked up. */
  readonly hosts: string[] = [];
  /** By path, up to its "?". */
  readonly answers = new Map<string, Answer>();
  readonly #server: Server;

  constructor(tls: Pair) {
    this.#server = createServer(tls, (request, response) => {
      const url = request.url ?? '';
      this.asked.push(`${request.headers.host?.split(':', 1)[0]}${url}`);
      const {
        status = 200,
        body = '',
        headers = {},
        hangs = false,
      } = this.answers.get(url.split('?', 1)[0]!) ?? {
        status: 404,
      };
      response.writeHead(status, headers);
      if (hangs) response.write(' ');
      else response.end(body);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get(options: HttpsGetOptions): SnsGet {
    const lookup: LookupFunction = (host, { all }, callback) => {
      this.hosts.push(host);
      if (all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
      else callback(null, '127.0.0.1', 4);
    };
    return httpsGet({ lookup, port: (this.#server.address() as AddressInfo).port, ...options });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}

const FIELDS = {
  Notification: ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'],
  SubscriptionConfirmation: [
    'Message',
    'MessageId',
    'SubscribeURL',
    'Timestamp',
    'Token',
    'TopicArn',
    'Type',
  ],
  UnsubscribeConfirmation: ['Message', 'MessageId', 'SubscribeURL', 'Timestamp', 'Token', 'TopicArn', 'Type'],
} as const;

/** A message as SNS writes it, signed with `key`; `fields` are in place of its own before it is signed. */
export function snsMessage(
  type: keyof typeof FIELDS,
  key: string,
  fields: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const message: Record<string, unknown> = {
    Type: type,
    MessageId: '165545c9-2a5c-472c-8df2-7ff2be2b3b1b',
    TopicArn: TOPIC,
    Message: 'You have chosen …',
    Timestamp: new Date().toISOString(),
    SignatureVersion: '2',
    SigningCertURL: `https://${SNS_HOST}/SimpleNotificationService-0123456789abcdef.pem`,
    ...(type !== 'Notification' && {
      Token: '2336412f37',
      SubscribeURL: `https://${SNS_HOST}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=2336412f37`,
    }),
    ...fields,
  };
  const sign = createSign(message['SignatureVersion'] === '1' ? 'sha1' : 'sha256');
  for (const name of FIELDS[type]) {
    const text = message[name];
    if (typeof text === 'string') sign.update(`${name}\n${text}\n`);
  }
  return { Signature: sign.sign(key, 'base64'), ...message };
}
