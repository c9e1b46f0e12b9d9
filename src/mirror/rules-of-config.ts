import type { MirrorConfig } from '../config/schemas/mirror.ts';
import { mirrorRule, type MirrorRuleConfig } from '../config/schemas/mirror-rule.ts';
import { accessOf } from '../s3/access-of.ts';
import type { MirrorRule, OriginAddress } from './rule.ts';

/**
 * The rules that settings tell, secrets revealed, files read. Without any there is one, for every key: the external endpoint.
 * @throws IsyncError CONFIG_INVALID where a file of certificates can't be read
 */
export function rulesOf({
  rules,
  externalEndpoint,
}: Pick<MirrorConfig, 'rules' | 'externalEndpoint'>): readonly MirrorRule[] {
  if (externalEndpoint === undefined) return rules.map((rule, at) => ruleOf(rule, `rules[${at}]`));
  return [ruleOf(mirrorRule.parse({ origins: [externalEndpoint.base] }), 'externalEndpoint')];
}

function ruleOf({ match, origins, keep, types, ...rule }: MirrorRuleConfig, name: string): MirrorRule {
  return {
    ...rule,
    name,
    bwlimit: rule.bwlimit,
    matches: match,
    origins: origins.map(addressOf),
    send: Object.fromEntries(Object.entries(rule.send).map(([header, value]) => [header, value.reveal()])),
    keeps: keep,
    takesType: types,
  };
}

function addressOf({ url, access }: MirrorRuleConfig['origins'][number]): OriginAddress {
  return url.kind === 'http' ? url : { ...url, access: accessOf(access) };
}

/** What a client gets for what the bucket lacks. */
export function onMissOf({
  onMiss,
  serviceEndpoint,
}: Pick<MirrorConfig, 'onMiss' | 'serviceEndpoint'>): NonNullable<MirrorConfig['onMiss']> {
  return onMiss ?? (serviceEndpoint === undefined ? 'stream' : 'redirect');
}
