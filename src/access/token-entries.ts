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
  /** How long the sealed directories of the device stay, like 30d, or `never`: none goes. Absent: as the receiver's option says. */
  readonly retain?: string | undefined;
  /** How many of them stay in any case. */
  readonly retainLast?: number | undefined;
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
      retain: z
        .string()
        .refine(
          (text) => parseRetain(text) !== undefined,
          'is no time like 12h, 30d or 4w, at most ten years, nor "never"',
        )
        .optional(),
      retainLast: z.int('is no whole number').min(1, 'is no whole number from 1 up').optional(),
    }),
  ),
});

/** @throws IsyncError CONFIG_INVALID */
export function parseTokenEntries(json: string, path: string): TokenEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw invalidTokenFile(path, 'it is not JSON', { cause: error });
  }
  const parsed = TokenFileSchema.safeParse(value);
  if (!parsed.success) throw invalidTokenFile(path, z.prettifyError(parsed.error));
  const { tokens } = parsed.data;
  for (const field of ['retain', 'retainLast'] as const) {
    const device = disagreeing(tokens, field);
    if (device !== undefined)
      throw invalidTokenFile(path, `the tokens of ${device} say two things of "${field}"`, {
        hint: 'Give each token of the device the same, or only one of them.',
      });
  }
  return tokens;
}

/** A device whose tokens do not say the same; those that say nothing do not count. */
function disagreeing(tokens: readonly TokenEntry[], field: 'retain' | 'retainLast'): string | undefined {
  const said = new Map<string, string | number>();
  for (const { device, [field]: value } of tokens) {
    if (value === undefined) continue;
    if ((said.get(device) ?? value) !== value) return device;
    said.set(device, value);
  }
  return undefined;
}

/** What the tokens of a device say of its retention; absent fields where none says anything. */
export function retentionOf(
  tokens: readonly TokenEntry[],
  device: string,
): Pick<TokenEntry, 'retain' | 'retainLast'> {
  const own = tokens.filter((token) => token.device === device);
  const retain = own.find((token) => token.retain !== undefined)?.retain;
  const retainLast = own.find((token) => token.retainLast !== undefined)?.retainLast;
  return { ...(retain !== undefined && { retain }), ...(retainLast !== undefined && { retainLast }) };
}

export function formatTokenEntries(tokens: readonly TokenEntry[]): string {
  return `${JSON.stringify({ version: 1, tokens }, undefined, 2)}\n`;
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
