import type { SnsTopic } from './sns-topic.ts';

/** Longest URL in a message of SNS, in characters: a SubscribeURL, with topic and token, has some 400. */
const MAX_URL_LENGTH = 2048;
const SNS_HOST = /^sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?$/;
/**
 * The whole path. SNS answers API calls on the same host, and some of their answers can be made to hold a certificate of
 * anybody's: https://spaceraccoon.dev/exploiting-improper-validation-amazon-simple-notification-service/
 */
const CERTIFICATE_PATH = /^\/SimpleNotificationService[A-Za-z0-9_-]{0,64}\.pem$/;

/** A URL that leads to SNS in the topic's own region, over TLS, and nowhere else. Made by the two functions below only. */
export type SnsUrl = URL & { readonly __snsUrl: true };

/** Undefined for anything but the URL of a certificate on the SNS host of the topic's region. */
export function certificateUrl(text: string, topic: SnsTopic): SnsUrl | undefined {
  const url = snsUrl(text, topic);
  return url?.search === '' && CERTIFICATE_PATH.test(url.pathname) ? url : undefined;
}

/** Undefined for anything but a URL that confirms a subscription to the topic, on the SNS host of its region. */
export function subscribeUrl(text: string, topic: SnsTopic): SnsUrl | undefined {
  const url = snsUrl(text, topic);
  if (url?.pathname !== '/') return undefined;
  const { searchParams: asked } = url;
  return asked.get('Action') === 'ConfirmSubscription' && asked.get('TopicArn') === topic.arn
    ? url
    : undefined;
}

function snsUrl(text: string, topic: SnsTopic): SnsUrl | undefined {
  if (text.length > MAX_URL_LENGTH || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  // Written in any other way than a URL is written out, it might lead elsewhere for another reader than for this one.
  return url.href === text && leadsToSns(url, topic) ? url : undefined;
}

function leadsToSns(url: URL, { host }: SnsTopic): url is SnsUrl {
  const isBare = url.username === '' && url.password === '' && url.hash === '';
  // `host` has the port, so that there can be none.
  return isBare && url.protocol === 'https:' && SNS_HOST.test(url.host) && url.host === host;
}
