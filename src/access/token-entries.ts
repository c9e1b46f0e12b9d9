import { z } from 'zod';
import { isDeviceName } from '../model/device-name.ts';
import { parseRetain } from './device-retention.ts';
import { IsyncError } from '../model/isync-error.ts';

/** What a token is for: `write` sends files and compares them, `read` gets them back. */
export type TokenAccess = 'write' | 'read';

/** A token as the file holds it: its hash, never the token itself. */
export interface TokenEntry {
  /** Names the token for people, for `token revoke`. */
  readonly id: string;
  readonly device: string;
  /** SHA-256 of the whole token text, in hex. */
  readonly sha256: string;
  /** ISO 8601, UTC. */
  readonly created: string;
  /** `read`: it gets files back, and can change nothing. Absent: it sends them. */
  readonly access?: Extract<TokenAccess, 'read'> | undefined;
}

/** What the file says of a device, whatever tokens that has. */
export interface DeviceEntry {
  /** How long its sealed directories stay, like 30d, or `never`: none goes. Absent: as the receiver's option says. */
  readonly retain?: string | undefined;
  /** How many of them stay in any case. */
  readonly retainLast?: number | undefined;
}

export interface TokenFileContent {
  readonly tokens: readonly TokenEntry[];
  /** By the name of the device. */
  readonly devices?: Readonly<Record<string, DeviceEntry>> | undefined;
}

/**
 * Strict on purpose: a version that does not know what is said of a token refuses the file, rather than take a token that may only read
 * for one that may write.
 */
const TokenFileSchema = z.strictObject({
  version: z.literal(1),
  tokens: z.array(
    z.strictObject({
      id: z.string().regex(/^[0-9a-f]{12}$/),
      device: z.string().refine(isDeviceName, 'is no device name'),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
      created: z.iso.datetime(),
      access: z.literal('read').optional(),
    }),
  ),
  devices: z
    .record(
      z.string().refine(isDeviceName, 'is no device name'),
      z.strictObject({
        retain: z
          .string()
          .refine(
            (text) => parseRetain(text) !== undefined,
            'is no time like 12h, 30d or 4w, at most ten years, nor "never"',
          )
          .optional(),
        retainLast: z.int('is no whole number').min(1, 'is no whole number from 1 up').optional(),
      }),
    )
    .optional(),
});

/** @throws IsyncError CONFIG_INVALID */
export function parseTokenFile(json: string, path: string): TokenFileContent {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw invalidTokenFile(path, 'it is not JSON', { cause: error });
  }
  const parsed = TokenFileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalidTokenFile(path, z.prettifyError(parsed.error));
}

export function formatTokenFile(content: TokenFileContent): string {
  return `${JSON.stringify({ version: 1, ...content }, undefined, 2)}\n`;
}

export function invalidTokenFile(
  path: string,
  reason: string,
  {
    cause,
    hint = 'Tokens are made with "isync token add DEVICE --tokens FILE".',
  }: { readonly cause?: unknown; readonly hint?: string } = {},
): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the token file ${path} can't be used: ${reason}`, {
    path,
    cause,
    hint,
  });
}
