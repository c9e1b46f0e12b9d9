import { z } from 'zod';
import { parseBody, parseMailAddress, parseNoticeUrl, parseProgram } from '../backup-values.ts';
import { isRecord } from '../config-file.ts';
import { list, listOf, notEmpty, one, oneOf } from '../fields.ts';
import { passedOn } from '../location.ts';
import { mapFault } from '../map-fault.ts';
import { headerFault, parseHeaderValue } from '../mirror-values.ts';
import { HIDDEN, secret } from '../secret.ts';
import { badValue } from '../values.ts';
import { parsePort } from '../webhook-values.ts';

const OCCASIONS = ['start', 'success', 'problems', 'failure', 'overdue', 'recovered', 'verified'] as const;
type OccasionName = (typeof OCCASIONS)[number];

/** An address that only who has it may post to. */
const url = secret(parseNoticeUrl, { instead: 'name what holds it: { file: PATH } or { env: NAME }' });

const headers = z
  .record(
    z.string(),
    secret(parseHeaderValue, { instead: 'name what holds it: { file: PATH } or { env: NAME }' }),
  )
  .superRefine((given, context) => {
    for (const name of Object.keys(given)) {
      const fault = headerFault(name.toLowerCase());
      if (fault !== undefined)
        context.addIssue({
          code: 'custom',
          path: [name],
          message: `is for a header that ${fault}`,
          params: HIDDEN,
        });
    }
  })
  .prefault({});

const on = listOf(parseOccasions);

const email = z
  .strictObject({
    type: oneOf('email'),
    on,
    host: one(notEmpty),
    port: one(parsePort).prefault('587'),
    security: oneOf('tls', 'starttls', 'none').default('starttls'),
    user: one(notEmpty).optional(),
    password: secret(notEmpty).optional(),
    from: one(parseMailAddress),
    to: list().pipe(z.array(one(parseMailAddress)).min(1, 'is missing')),
  })
  .superRefine(({ user, password }, context) => {
    if ((user === undefined) !== (password === undefined))
      context.addIssue({
        code: 'custom',
        path: [user === undefined ? 'user' : 'password'],
        message: 'is missing, and the other one of user and password is given',
      });
  });

const ways = {
  webhook: z.strictObject({ type: oneOf('webhook'), on, url, headers, body: one(parseBody).optional() }),
  slack: z.strictObject({ type: oneOf('slack'), on, url }),
  wecom: z.strictObject({ type: oneOf('wecom'), on, url }),
  dingtalk: z.strictObject({ type: oneOf('dingtalk'), on, url, secret: secret(notEmpty).optional() }),
  email,
  command: z.strictObject({ type: oneOf('command'), on, command: listOf(parseProgram) }),
  ping: z.strictObject({ type: oneOf('ping'), url }),
};

type WayName = keyof typeof ways;
type WayConfig = { readonly [Name in WayName]: z.output<(typeof ways)[Name]> }[WayName];

/** One way of telling people. */
export const backupNotify = z.unknown().transform((given, context): WayConfig => {
  const type = isRecord(given) ? given['type'] : undefined;
  if (!isRecord(given) || typeof type !== 'string' || !isWay(type)) {
    const names = Object.keys(ways).join(', ');
    if (!isRecord(given))
      context.addIssue({ code: 'custom', message: 'is no map with a "type"', params: HIDDEN });
    else
      context.addIssue({
        code: 'custom',
        path: ['type'],
        message: type === undefined ? `is missing; it is one of ${names}` : `is none of ${names}`,
      });
    return z.NEVER;
  }
  const result = ways[type].safeParse(given, { error: mapFault });
  if (result.success) return result.data;
  for (const issue of result.error.issues) context.issues.push(passedOn(issue));
  return z.NEVER;
});

function isWay(type: string): type is WayName {
  return Object.hasOwn(ways, type);
}

function parseOccasions(names: readonly string[]): ReadonlySet<OccasionName> {
  if (names.length === 0) return new Set(['failure', 'overdue', 'recovered']);
  const wrong = names.find((name) => !isOccasion(name));
  if (wrong !== undefined) throw badValue(`has "${wrong}", which is none of ${OCCASIONS.join(', ')}`);
  return new Set(names.filter(isOccasion));
}

function isOccasion(name: string): name is OccasionName {
  return OCCASIONS.some((occasion) => occasion === name);
}
