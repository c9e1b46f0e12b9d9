import { createHmac } from 'node:crypto';
import { isObject, member } from '../parse/json-fields.ts';

/** What VK Cloud asks before it sends events, as it is found in the body. */
export interface VkQuestion {
  readonly timestamp: string;
  readonly topicArn: string;
  readonly token: string;
}

/** Longest field of a question in characters; a topic names a bucket and its events. */
const MAX_LENGTH = 2048;
/** What SNS has beside the fields that both have. */
const OF_SNS = ['SigningCertURL', 'SubscribeURL', 'Signature'];

/** Undefined where `value` is no question of VK Cloud. Its header says nothing: VK sends it with events too. */
export function vkQuestionIn(value: unknown): VkQuestion | undefined {
  if (!isObject(value) || member(value, 'Type') !== 'SubscriptionConfirmation') return undefined;
  if (OF_SNS.some((name) => Object.hasOwn(value, name))) return undefined;
  const [timestamp, topicArn, token] = ['Timestamp', 'TopicArn', 'Token'].map((name) =>
    shortText(member(value, name)),
  );
  if (timestamp === undefined || topicArn === undefined || token === undefined) return undefined;
  return topicArn.startsWith('arn:') ? undefined : { timestamp, topicArn, token };
}

/**
 * The proof that whoever has the URL wants the events, in hexadecimal.
 * https://cloud.vk.com/docs/en/storage/s3/s3-rest-api/webhook-api
 */
export function vkSignature({ timestamp, topicArn, token }: VkQuestion, url: string): string {
  const ofTime = hmac(timestamp, token);
  const ofTopic = hmac(topicArn, ofTime);
  return hmac(url, ofTopic).toString('hex');
}

function hmac(message: string, key: string | Buffer): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

function shortText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_LENGTH ? value : undefined;
}
