import { verify, type KeyObject } from 'node:crypto';
import { isObject, member } from '../../parse/json-fields.ts';

export type SnsType = 'Notification' | 'SubscriptionConfirmation' | 'UnsubscribeConfirmation';

/** What SNS posts, as far as it is needed; nothing of it is proven yet. */
export interface SnsMessage {
  readonly type: SnsType;
  readonly topicArn: string;
  /** ISO 8601. */
  readonly timestamp: string;
  /** Of confirmations. */
  readonly subscribeUrl: string;
  readonly certificateUrl: string;
  readonly digest: 'sha1' | 'sha256';
  readonly signature: Buffer;
  /** What was signed. */
  readonly signed: string;
}

/** Fields that are signed, in their order. https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html */
const SIGNED: Readonly<Record<SnsType, readonly string[]>> = {
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
};

/** A notification without a subject has none in its signature either. */
const OPTIONAL: ReadonlySet<string> = new Set(['Subject']);

const DIGESTS = new Map<unknown, 'sha1' | 'sha256'>([
  ['1', 'sha1'],
  ['2', 'sha256'],
]);

/** The type that a message of SNS names; undefined where `value` is none. */
export function snsTypeOf(value: unknown): SnsType | undefined {
  if (!isObject(value) || Array.isArray(value)) return undefined;
  const type = member(value, 'Type');
  return isSnsType(type) ? type : undefined;
}

/** Undefined where a field is missing, or is no text. */
export function readSnsMessage(value: unknown): SnsMessage | undefined {
  const type = snsTypeOf(value);
  if (type === undefined) return undefined;
  const texts = new Map<string, string>();
  for (const name of [...SIGNED[type], 'Signature', 'SigningCertURL']) {
    const text = member(value, name) ?? undefined;
    if (text === undefined && OPTIONAL.has(name)) continue;
    if (typeof text !== 'string') return undefined;
    texts.set(name, text);
  }
  const digest = DIGESTS.get(member(value, 'SignatureVersion'));
  if (digest === undefined) return undefined;
  const textOf = (name: string): string => texts.get(name) ?? '';
  return {
    type,
    topicArn: textOf('TopicArn'),
    timestamp: textOf('Timestamp'),
    subscribeUrl: textOf('SubscribeURL'),
    certificateUrl: textOf('SigningCertURL'),
    digest,
    signature: Buffer.from(textOf('Signature'), 'base64'),
    signed: SIGNED[type]
      .filter((name) => texts.has(name))
      .map((name) => `${name}\n${textOf(name)}\n`)
      .join(''),
  };
}

export function isSignedBy(key: KeyObject, { digest, signed, signature }: SnsMessage): boolean {
  return verify(digest, Buffer.from(signed), key, signature);
}

function isSnsType(type: unknown): type is SnsType {
  return typeof type === 'string' && Object.hasOwn(SIGNED, type);
}
