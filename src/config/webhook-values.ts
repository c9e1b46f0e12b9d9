import { resolve } from 'node:path';
import { z } from 'zod';
import { notEmpty } from './fields.ts';
import type { Fault, Given } from './from-file.ts';
import { parseS3Address } from './s3-address.ts';
import { type Mapping, parseSync } from './sync-map.ts';
import type { S3StoreAddress } from './target-address.ts';
import { badValue } from './values.ts';

const SCHEME = /^[a-z][a-z0-9+.-]+:\/\//i;

/** A file of this machine, found from the config file's folder where it stands there. Undefined where none is given. */
export function parseFile({ value, folder }: Given): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw badValue('is no single value');
  return resolve(folder, notEmpty(value));
}

/** The URL of a queue at a broker, or a file. Undefined where none is given. */
export function parseQueuePlace(given: Given): string | undefined {
  const { value } = given;
  return typeof value === 'string' && SCHEME.test(value) ? value : parseFile(given);
}

/** The URL of a queue that somebody else fills. */
export function parseSource(text: string): string {
  if (!/^(?:nats|tls|amqps?):\/\//.test(text))
    throw badValue('is no queue like amqp://HOST/QUEUE or nats://HOST/STREAM');
  return text;
}

/** Where events are sent on to. */
export function parseForward(text: string): string {
  if (!/^(?:sqs:.|(?:nats|tls|amqps?):\/\/)/.test(text))
    throw badValue('is no queue like sqs:NAME, sqs:URL, nats://HOST/SUBJECT or amqp://HOST/QUEUE');
  return text;
}

/** A bucket, and what keys begin with there. */
export function parseBucketTarget(text: string): S3StoreAddress {
  if (!text.startsWith('s3://')) throw badValue('is no bucket like s3://BUCKET/PREFIX or store:NAME');
  return { kind: 's3', ...parseS3Address(text) };
}

/** As {@link parseSync}; empty where nothing is given. */
export function parseOptionalSync(given: Given, fault: Fault): readonly Mapping[] {
  return given.value === undefined ? [] : parseSync(given, fault);
}

/** What may follow /webhook/ in the path. */
export function parseSecretPath(text: string): string {
  if (!/^[A-Za-z0-9._~-]{16,256}$/.test(text))
    throw badValue('is no segment of a path of 16 to 256 of A-Z a-z 0-9 "-" "." "_" "~"');
  return text;
}

/** Texts that may have commas in them, each on its own. */
export const texts = z
  .union([z.string().transform((text) => [text]), z.array(z.string())], {
    error: 'is neither a text nor a list of texts',
  })
  .default([]);

export function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Infinity;
  if (port > 65_535) throw badValue('is no port from 0 to 65535');
  return port;
}

/** Addresses and networks; what they mean is checked where they are used. */
export function parseHttpUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw badValue('is no URL like https://events.example/webhook');
  return text;
}
