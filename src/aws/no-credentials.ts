import { readFileSync } from 'node:fs';

/** What the SDK says once each of its providers has said that it has none. */
const NONE_FOUND = 'Could not load credentials from any providers';
/** Name the server that gives credentials to a container, or to a machine in the place of the one of EC2. */
const SERVERS = [
  'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI',
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT',
];
/** Files of the kernel that tell a machine of EC2. https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html */
const SIGNS_OF_EC2 = [
  { path: '/sys/hypervisor/uuid', sign: /^ec2/i },
  { path: '/sys/devices/virtual/dmi/id/sys_vendor', sign: /amazon/i },
  { path: '/sys/devices/virtual/dmi/id/board_asset_tag', sign: /^i-[0-9a-f]+/ },
];

/**
 * Whether an error of the SDK tells that this machine has no credentials, and will have none until somebody gives it some. Where
 * a server gives them out, the SDK says the same while that one does not answer: that passes.
 */
export function hasNoCredentials(
  error: unknown,
  env: Readonly<Record<string, string | undefined>> = process.env,
  isEc2: () => boolean = isMachineOfEc2,
): boolean {
  if (!(error instanceof Error) || error.message !== NONE_FOUND) return false;
  if (SERVERS.some((name) => (env[name] ?? '') !== '')) return false;
  const disabled = env['AWS_EC2_METADATA_DISABLED'] ?? '';
  return (disabled !== '' && disabled !== 'false') || !isEc2();
}

function isMachineOfEc2(): boolean {
  return SIGNS_OF_EC2.some(({ path, sign }) => {
    try {
      return sign.test(readFileSync(path, 'utf8'));
    } catch {
      return false;
    }
  });
}
