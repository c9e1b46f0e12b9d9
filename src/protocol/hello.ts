import { DIGEST_ALGORITHMS } from '../model/digest.ts';
import { malformed } from './bytes.ts';
import { type Fields, isObject, optionalCount, parseObject, text, truth } from './json-fields.ts';
import { MAX_HELLO_BYTES, MAX_ID_LENGTH } from './limits.ts';
import type { Hello, SessionLimits, Welcome, WelcomeStore } from './messages.ts';

/** @throws IsyncError PROTOCOL */
export function parseHello(json: Buffer): Hello {
  const fields = parseObject(json, MAX_HELLO_BYTES);
  const mode = oneOf(fields, 'mode', ['write', 'read']);
  const digest = oneOf(fields, 'digest', DIGEST_ALGORITHMS);
  return {
    type: 'hello',
    version: version(fields),
    device: text(fields, 'device'),
    mode,
    digest,
    software: text(fields, 'software'),
    ...(fields['replaceDamaged'] !== undefined && { replaceDamaged: truth(fields, 'replaceDamaged') }),
  };
}

/** @throws IsyncError PROTOCOL */
export function parseWelcome(json: Buffer): Welcome {
  const fields = parseObject(json, MAX_HELLO_BYTES);
  return {
    type: 'welcome',
    version: version(fields),
    session: text(fields, 'session'),
    device: text(fields, 'device'),
    software: text(fields, 'software'),
    limits: parseLimits(fields['limits']),
    compression: parseCompression(fields['compression']),
    ...(fields['reports'] !== undefined && { reports: truth(fields, 'reports') }),
    ...(fields['reads'] !== undefined && { reads: truth(fields, 'reads') }),
    ...(fields['sealsBehind'] !== undefined && { sealsBehind: truth(fields, 'sealsBehind') }),
    store: parseStore(fields['store']),
  };
}

function parseLimits(value: unknown): SessionLimits {
  if (!isObject(value)) throw malformed('"limits" is no object');
  return {
    filesInFlight: count(value, 'filesInFlight'),
    openUploads: count(value, 'openUploads'),
    requests: count(value, 'requests'),
  };
}

/** Receivers that know no compression leave it out. */
function parseCompression(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw malformed('"compression" is no list');
  return value.map((name: unknown) => {
    if (typeof name !== 'string') throw malformed('"compression" is no list of texts');
    return name;
  });
}

/** Receivers of older versions leave it out. */
function parseStore(value: unknown): WelcomeStore | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw malformed('"store" is no object');
  const freeBytes = optionalCount(value, 'freeBytes');
  return {
    id: id(value, 'id'),
    process: id(value, 'process'),
    listedMtime: truth(value, 'listedMtime'),
    // Receivers of older versions leave it out.
    checksLooks: value['checksLooks'] !== undefined && truth(value, 'checksLooks'),
    retirements: value['retirements'] !== undefined && truth(value, 'retirements'),
    ...(freeBytes !== undefined && { freeBytes }),
  };
}

function id(fields: Fields, name: string): string {
  const value = text(fields, name);
  if (value === '' || value.length > MAX_ID_LENGTH)
    throw malformed(`"${name}" is empty or longer than ${MAX_ID_LENGTH} characters`);
  return value;
}

/** Any integer: an unknown version is answered with 4426, not as a malformed message. */
function version(fields: Fields): number {
  const value = fields['version'];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw malformed('"version" is no integer');
  return value;
}

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw malformed(`"${name}" is no positive integer`);
  return value;
}

function oneOf<const T extends string>(fields: Fields, name: string, allowed: readonly T[]): T {
  const value = fields[name];
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw malformed(`"${name}" is none of ${allowed.join(', ')}`);
  return found;
}
