import { badValue } from './values.ts';

/** What a setting says of a queue. */
export interface QueueAddress {
  /** As it was given. */
  readonly text: string;
  /** Undefined where it must be asked for by name. */
  readonly url: string | undefined;
  readonly name: string;
  /** Undefined: the one of the credentials. */
  readonly account: string | undefined;
  /** As an ARN tells it, or the host of a URL of AWS; of whatever partition. */
  readonly region: string | undefined;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html */
const NAME = /^[\w-]{1,80}$|^[\w-]{1,75}\.fifo$/;
/** arn:PARTITION:sqs:REGION:ACCOUNT:NAME */
const ARN = /^arn:[a-z0-9-]+:sqs:([a-z0-9-]+):(\d+):([^:]+)$/;
const REGION = '[a-z]{2,}(?:-[a-z]+)+-\\d+';
/** sqs.REGION.amazonaws.com, with -fips, with .cn, of a VPC endpoint, of api.aws, and the old REGION.queue.amazonaws.com */
const HOSTS = [new RegExp(`(?:^|\\.)sqs(?:-fips)?\\.(${REGION})\\.`), new RegExp(`^(${REGION})\\.queue\\.`)];
/** The oldest URLs of us-east-1. */
const FIRST_HOST = 'queue.amazonaws.com';

/**
 * Parses the name, URL or ARN of a queue.
 * @throws IsyncError CONFIG_INVALID whose message goes on from the text
 */
export function parseQueue(text: string): QueueAddress {
  if (text.startsWith('arn:')) return parseArn(text);
  if (text.includes('://')) return parseUrl(text);
  if (NAME.test(text)) return { text, url: undefined, name: text, account: undefined, region: undefined };
  throw badValue(
    'is no name of 1 to 80 of A-Z a-z 0-9 "-" "_", with .fifo behind where it is one; a queue is a name, a URL or an ARN',
  );
}

/** The region in the host of a URL, as AWS names its hosts. */
export function regionOfHost(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  if (hostname === FIRST_HOST) return 'us-east-1';
  return HOSTS.map((host) => host.exec(hostname)?.[1]).find((region) => region !== undefined);
}

function parseArn(text: string): QueueAddress {
  const [, region, account, name] = ARN.exec(text) ?? [];
  if (name === undefined || !NAME.test(name))
    throw badValue('is no ARN like arn:aws:sqs:eu-central-1:123456789012:NAME');
  return { text, url: undefined, name, account, region };
}

function parseUrl(text: string): QueueAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw badValue('is no URL like https://sqs.eu-central-1.amazonaws.com/123456789012/NAME');
  if (url.username !== '' || url.password !== '')
    throw badValue(
      'holds a user name or password; credentials come from the AWS environment, a profile or a role',
    );
  if (url.search !== '' || url.hash !== '') throw badValue('has a "?" or "#" part, which a queue has not');
  const name = url.pathname.split('/').at(-1) ?? '';
  if (!NAME.test(name)) throw badValue('has no name of a queue at its end');
  return { text, url: text, name, account: undefined, region: regionOfHost(text) };
}
