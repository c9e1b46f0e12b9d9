import { member } from '../json-fields.ts';

/** What an envelope of SNS is: `text` is the message in it; undefined where `message` is no envelope. */
export type SnsEnvelope =
  | { readonly kind: 'notification'; readonly text: string }
  /** Of the subscription itself; a queue is subscribed by AWS, so that there is nothing to confirm here. */
  | { readonly kind: 'subscription'; readonly name: string };

/** https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html */
export function openSns(message: unknown): SnsEnvelope | undefined {
  const type = member(message, 'Type');
  const text = member(message, 'Message');
  if (type === 'Notification' && typeof text === 'string') return { kind: 'notification', text };
  if (type === 'SubscriptionConfirmation' || type === 'UnsubscribeConfirmation')
    return { kind: 'subscription', name: type };
  return undefined;
}
