import { getFips, hash } from 'node:crypto';
import type { Message } from '@aws-sdk/client-sqs';
import type { ReceivedMessage } from './held-message.ts';

/** A message of an answer; undefined where it lacks what each message has, or was damaged on its way. */
export function receivedFrom({
  MessageId,
  ReceiptHandle,
  Body,
  MD5OfBody,
  Attributes,
}: Message): ReceivedMessage | undefined {
  if (!MessageId || !ReceiptHandle) return undefined;
  const body = Body ?? '';
  if (MD5OfBody !== undefined && isDamaged(body, MD5OfBody)) return undefined;
  return {
    id: MessageId,
    body,
    handle: ReceiptHandle,
    attempt: Math.max(1, wholeNumber(Attributes?.ApproximateReceiveCount) ?? 1),
    sentMs: wholeNumber(Attributes?.SentTimestamp),
  };
}

/** A machine that must do without MD5 trusts the connection. */
function isDamaged(body: string, md5: string): boolean {
  return getFips() === 0 && hash('md5', body) !== md5.toLowerCase();
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
