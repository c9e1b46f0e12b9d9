import { describe, expect, it } from 'vitest';
import { s3Error } from '../../src/s3/errors.ts';

function answered(name: string, status?: number): Error {
  const error = Object.assign(new Error('words of the server'), { $metadata: { httpStatusCode: status } });
  error.name = name;
  return error;
}

function failed(errno: string): Error {
  return Object.assign(new Error(errno), { code: errno });
}

describe('a request to a bucket is tried again', () => {
  it.each([
    { of: 'may pass by itself', error: answered('SlowDown'), code: 'BUSY' },
    { of: 'may pass by itself', error: answered('Unknown', 500), code: 'STORE_FAILED' },
    { of: 'may pass by itself', error: failed('ECONNREFUSED'), code: 'UNREACHABLE' },
    { of: 'may pass by itself', error: answered('PreconditionFailed'), code: 'FILE_CHANGED' },
    { of: 'can be mended at the bucket', error: answered('QuotaExceeded'), code: 'STORE_FULL' },
    { of: 'can be mended at the bucket', error: answered('NoSuchBucket'), code: 'STORE_MISSING' },
    { of: 'can be mended at the bucket', error: answered('PermanentRedirect'), code: 'STORE_MISSING' },
    { of: 'can be mended at the bucket', error: answered('AccessDenied'), code: 'STORE_REFUSED' },
    { of: 'can be mended at the bucket', error: answered('ExpiredToken'), code: 'STORE_REFUSED' },
    { of: 'can be mended at the bucket', error: answered('CredentialsProviderError'), code: 'STORE_REFUSED' },
    { of: 'can be mended at the bucket', error: answered('RequestTimeTooSkewed'), code: 'CLOCK_SKEW' },
    { of: 'can be mended at the bucket', error: failed('CERT_HAS_EXPIRED'), code: 'TLS_FAILED' },
  ])('where what is wrong $of: $error.name $error.message, $code', ({ error, code }) => {
    expect(s3Error(error, 'bkt')).toMatchObject({ code, retryable: true });
  });
});

describe('a request to a bucket is not tried again', () => {
  it.each([
    { error: new Error('Region is missing'), code: 'CONFIG_INVALID' },
    { error: answered('InvalidBucketName'), code: 'STORE_MISSING' },
    { error: answered('EntityTooLarge'), code: 'FILE_TOO_LARGE' },
    { error: answered('KeyTooLongError'), code: 'BAD_PATH' },
    { error: answered('NotImplemented'), code: 'STORE_FAILED' },
    { error: new Error('anything else'), code: 'INTERNAL' },
  ])('after $error.name $error.message: $code', ({ error, code }) => {
    expect(s3Error(error, 'bkt')).toMatchObject({ code, retryable: false });
  });
});
