/** A topic of AWS, and where SNS is in its region. */
export interface SnsTopic {
  readonly arn: string;
  readonly region: string;
  /** Of the API and of certificates. */
  readonly host: string;
}

/** https://docs.aws.amazon.com/sns/latest/dg/sns-create-topic.html: a name of up to 256 characters. */
const TOPIC_ARN = /^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{3,32}):\d{12}:[A-Za-z0-9_.-]{1,256}$/;

/** Undefined where `arn` names no topic of a region with a public SNS. */
export function parseTopic(arn: string): SnsTopic | undefined {
  const [, partition, region] = TOPIC_ARN.exec(arn) ?? [];
  if (partition === undefined || region === undefined) return undefined;
  return { arn, region, host: `sns.${region}.${suffixOf(partition)}` };
}

/**
 * The names that SNS gives itself in the certificates it signs with, in the topic's region.
 * https://github.com/aws/aws-sdk-java-v2 (SnsHostProvider) lists them.
 */
export function signingNames({ region, host }: SnsTopic): readonly string[] {
  const suffix = host.slice(`sns.${region}.`.length);
  return [
    `sns.${suffix}`,
    host,
    `sns-signing.${region}.${suffix}`,
    `sns-${region}.${suffix}`,
    ...(region.startsWith('us-gov-') ? ['sns-us-gov-west-1.amazonaws.com'] : []),
  ];
}

function suffixOf(partition: string): string {
  return partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
}
