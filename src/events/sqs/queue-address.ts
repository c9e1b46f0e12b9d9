import { IsyncError } from '../../model/isync-error.ts';

/** What a setting says of a queue. */
export interface QueueAddress {
  /** Undefined where it must be asked for by name. */
  readonly url: string | undefined;
  readonly name: string;
  /** Undefined: the one of the credentials. */
  readonly account: string | undefined;
  /** As an ARN tells it, or the host of a URL of AWS; of whatever partition. */
  readonly region: string | undefined;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html */
const NAME = /^[\w-]{1,80}$/;
const FIFO_NAME = /^[\w-]{1,75}\.fifo$/;
/** arn:PARTITION:sqs:REGION:ACCOUNT:NAME */
const ARN = /^arn:[a-z0-9-]+:sqs:([a-z0-9-]+):(\d+):([^:]+)$/;
const REGION = '[a-z]{2,}(?:-[a-z]+)+-\\d+';
/** sqs.REGION.amazonaws.com, with -fips, with .cn, of a VPC endpoint, of api.aws, and the old REGION.queue.amazonaws.com */
const HOSTS = [new RegExp(`(?:^|\\.)sqs(?:-fips)?\\.(${REGION})\\.`), new RegExp(`^(${REGION})\\.queue\\.`)];
/** The oldest URLs of us-east-1. */
const FIRST_HOST = 'queue.amazonaws.com';

/** @throws IsyncError CONFIG_INVALID where `queue` is neither a name nor a URL nor an ARN */
export function parseQueue(queue: string): QueueAddress {
  if (queue.startsWith('arn:')) return parseArn(queue);
  if (queue.includes('://')) return parseUrl(queue);
  if (!isName(queue)) throw bad(queue);
  return { url: undefined, name: queue, account: undefined, region: undefined };
}

/** The region in the host of a URL, as AWS names its hosts. */
export function regionOfHost(url: string): string | undefined {
  if (!URL.canParse(url)) return undefined;
  const { hostname } = new URL(url);
  if (hostname === FIRST_HOST) return 'us-east-1';
  return HOSTS.map((host) => host.exec(hostname)?.[1]).find((region) => region !== undefined);
}

function parseArn(queue: string): QueueAddress {
  const [, region, account, name] = ARN.exec(queue) ?? [];
  if (name === undefined || !isName(name)) throw bad(queue);
  return { url: undefined, name, account, region };
}

function parseUrl(queue: string): QueueAddress {
  const url = URL.canParse(queue) ? new URL(queue) : undefined;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (url === undefined || !isHttp || url.search !== '' || url.hash !== '') throw bad(queue);
  if (url.username !== '' || url.password !== '')
    throw new IsyncError('CONFIG_INVALID', 'the URL of the queue holds a user name or password', {
      hint: 'Credentials come from the AWS environment, a profile or a role.',
    });
  const name = url.pathname.split('/').at(-1) ?? '';
  if (!isName(name)) throw bad(queue);
  return { url: queue, name, account: undefined, region: regionOfHost(queue) };
}

function isName(text: string): boolean {
  return NAME.test(text) || FIFO_NAME.test(text);
}

function bad(queue: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `${JSON.stringify(queue)} is no queue`, {
    hint: 'Give the name of the queue (events), its URL (https://sqs.eu-central-1.amazonaws.com/123456789012/events) or its ARN (arn:aws:sqs:eu-central-1:123456789012:events).',
  });
}
