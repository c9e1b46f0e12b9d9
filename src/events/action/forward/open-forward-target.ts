import type { AwsAccess } from '../../../aws/access.ts';
import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import type { ForwardTarget } from './forward-target.ts';

export interface ForwardOptions {
  /** For queues of SQS. An ARN or a URL of AWS tells the region. */
  readonly aws: AwsAccess;
  readonly log: Log;
}

/**
 * Opens the queue at `url`: `sqs:` with the name, URL or ARN of a queue behind it ({@link SqsTarget}), `nats://…` or `tls://…`
 * ({@link NatsTarget}), `amqp://…` or `amqps://…` ({@link AmqpTarget}). What a kind needs is loaded only when that kind is used.
 * @throws IsyncError CONFIG_INVALID, without a secret; UNREACHABLE, STORE_MISSING, STORE_REFUSED, TLS_FAILED
 */
export async function openForwardTarget(url: string, options: ForwardOptions): Promise<ForwardTarget> {
  const [, scheme, rest = ''] = /^([a-z][a-z0-9+.-]*):(.*)$/is.exec(url) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'sqs': {
      const { SqsTarget } = await import('./sqs-target.ts');
      return SqsTarget.open(rest, options);
    }
    case 'nats':
    case 'tls': {
      const { NatsTarget } = await import('./nats-target.ts');
      return await NatsTarget.open(url);
    }
    case 'amqp':
    case 'amqps': {
      const { AmqpTarget } = await import('./amqp-target.ts');
      return await AmqpTarget.open(url, options.log);
    }
    case undefined:
    default:
      throw new IsyncError(
        'CONFIG_INVALID',
        `nothing can be forwarded to ${scheme ?? 'that, which is no URL'}`,
        {
          hint: 'A target is sqs:NAME, sqs:https://…, nats://HOST/SUBJECT or amqp://HOST/[VHOST/]QUEUE.',
        },
      );
  }
}
