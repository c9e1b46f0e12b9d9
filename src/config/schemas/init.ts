import { hostname } from 'node:os';
import { z } from 'zod';
import { parseDeviceName } from '../../model/device-name.ts';
import { flag, one, oneOf, path } from '../fields.ts';
import { parseJoinLine } from '../join-line.ts';
import { badValue, parseCount } from '../values.ts';
import { common } from './common.ts';

const NAME = /^[a-z\d][\w.-]{0,252}$|^[\da-f:]+$/i;

export const initSchema = z.strictObject({
  /** Asked for where it is not given, as are `where` and `name`. */
  role: oneOf('device', 'server').optional(),
  /** The root of a device, the store of a server. */
  where: path.optional(),
  /** Of a device at its server; of a server the host under which devices reach it. */
  name: one(parseName).optional(),
  join: one(parseJoinLine).optional(),
  /** Of a server: the device that the printed line is for. */
  for: one(parseDevice).default('edge1'),
  /** Undefined: that of the settings that are there, else where receivers listen. */
  port: one(parsePort).optional(),
  /** Where settings, token and certificates go. */
  settings: path.optional(),
  /** Of a server; its service runs as this user. */
  user: one(parseUser).default('isync'),
  unit: flag(),
  ...common,
});

export type InitConfig = z.output<typeof initSchema>;

export function parseName(text: string): string {
  if (!NAME.test(text)) throw badValue('is neither a host nor the name of a device');
  return text;
}

function parseDevice(text: string): string {
  try {
    return parseDeviceName(text);
  } catch {
    // parseDeviceName has this one reason, told here in the words of a setting.
    throw badValue('is no device name: 1 to 64 of A-Z a-z 0-9 "-" "_" ".", beginning with a letter or digit');
  }
}

function parsePort(text: string): number {
  const port = parseCount(text);
  if (port > 65_535) throw badValue('is no port');
  return port;
}

function parseUser(text: string): string {
  if (!/^[a-z_][a-z\d_-]{0,31}$/.test(text)) throw badValue('is no name of a user');
  return text;
}

/** What a device is called, and a server reached by, unless told. */
export const OWN_HOST = hostname();
