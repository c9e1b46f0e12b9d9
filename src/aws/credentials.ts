import type { AwsAccess } from './access.ts';

/** What the SDK takes as credentials: keys that stay, or a function that it asks before they expire. */
type Credentials = Keys | ((properties?: object) => Promise<Keys>);

interface Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

interface Timeouts {
  readonly connectionTimeout: number;
  readonly socketTimeout: number;
}

/** The credentials that `access` names; undefined leaves them to the SDK's chain of providers. */
export function credentialsFor(access: AwsAccess, timeouts: Timeouts): Credentials | undefined {
  const keys = keysOf(access);
  return access.roleArn === undefined ? keys : roleCredentials(access.roleArn, access, keys, timeouts);
}

function keysOf({ credentials }: AwsAccess): Keys | undefined {
  if (credentials === undefined) return undefined;
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
}

/**
 * Keys of a role, from AWS or from where AWS_ENDPOINT_URL_STS says. That is another server than the one of `access`: neither
 * the endpoint nor the authorities of that one hold there. The provider is loaded once a role is needed: it is large.
 */
function roleCredentials(
  RoleArn: string,
  { region, profile, fips, dualStack }: AwsAccess,
  masterCredentials: Keys | undefined,
  timeouts: Timeouts,
): (properties?: object) => Promise<Keys> {
  const load = async () => {
    const { fromTemporaryCredentials } = await import('@aws-sdk/credential-providers');
    return fromTemporaryCredentials({
      params: { RoleArn, RoleSessionName: 'isync' },
      ...(masterCredentials !== undefined && { masterCredentials }),
      clientConfig: {
        requestHandler: timeouts,
        ...(region !== undefined && { region }),
        ...(profile !== undefined && { profile }),
        ...(fips !== undefined && { useFipsEndpoint: fips }),
        ...(dualStack !== undefined && { useDualstackEndpoint: dualStack }),
      },
    });
  };
  let provider: ReturnType<typeof load> | undefined;
  return async (properties) => await (await (provider ??= load()))(properties);
}
