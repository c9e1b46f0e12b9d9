import { describe, expect, it } from 'vitest';
import { parseStoreAddress, parseTargetAddress, showAddress } from '../../src/config/target-address.ts';

describe('an s3:// address', () => {
  it.each([
    ['s3://bucket', 'bucket', ''],
    ['s3://bucket/', 'bucket', ''],
    ['s3://my.bucket-1/site/a', 'my.bucket-1', 'site/a'],
    ['s3://bucket/site/', 'bucket', 'site'],
    ['S3://bucket/Site', 'bucket', 'Site'],
    ['s3://bucket/a%20b c/grüße', 'bucket', 'a%20b c/grüße'],
    ['s3://bucket/.isync2', 'bucket', '.isync2'],
  ])('%j is bucket and prefix, for a target and for a store', (text, bucket, prefix) => {
    expect(parseTargetAddress(text)).toEqual({ kind: 's3', bucket, prefix });
    expect(parseStoreAddress(text)).toEqual({ kind: 's3', bucket, prefix });
  });

  it.each([
    ['s3://', 'names no bucket'],
    ['s3:///prefix', 'names no bucket'],
    ['s3://ab', 'is not 3 to 63'],
    [`s3://${'a'.repeat(64)}`, 'is not 3 to 63'],
    ['s3://Bucket', '"Bucket" is not 3 to 63 of a-z'],
    ['s3://my_bucket', '"my_bucket" is not 3 to 63'],
    ['s3://-bucket', 'a letter or digit at both ends'],
    ['s3://buc..ket', 'is not 3 to 63'],
    ['s3://10.0.0.1', 'is not 3 to 63'],
    ['s3://bucket:9000/a', 'part of --s3-endpoint'],
    ['s3://KEY:se/cret@bucket', 'holds credentials'],
    ['s3://KEY@bucket', 'holds credentials'],
    ['s3://bucket/a?versionId=1', 'has a "?" or "#" part'],
    ['s3://bucket#a', 'has a "?" or "#" part'],
    ['s3://bucket//', 'has a prefix that has an empty segment'],
    ['s3://bucket//a', 'has a prefix that has an empty segment'],
    ['s3://bucket/a//b', 'has a prefix that has an empty segment'],
    ['s3://bucket/a/../b', 'has a prefix that has a ".." segment'],
    ['s3://bucket/./b', 'has a prefix that has a "." segment'],
    ['s3://bucket/.isync', 'has the segment ".isync"'],
    ['s3://bucket/a/.isync/b', 'has the segment ".isync"'],
    [`s3://bucket/${'ab/'.repeat(86)}`, 'over 256 bytes'],
    ['s3://bucket/a\0b', 'NUL'],
    ['s3://bucket/\ud800', 'well-formed'],
  ])('%j is refused', (text, why) => {
    for (const parse of [parseTargetAddress, parseStoreAddress])
      expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => parseStoreAddress(text)).toThrow(why);
  });

  it('is shown as it can be given again', () => {
    for (const text of ['s3://bucket', 's3://bucket/a/b', '/folder'])
      expect(showAddress(parseStoreAddress(text))).toBe(text);
  });

  it('of another scheme is no store', () => {
    expect(() => parseStoreAddress('ws://host:1')).toThrow(
      'has the scheme "ws"; a store is a folder or s3://',
    );
    expect(() => parseTargetAddress('gs://bucket')).toThrow('has the scheme "gs"; a target is ws://');
  });
});
