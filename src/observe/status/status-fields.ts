import type { LogFields } from '../../model/log.ts';
import type { StatusReport } from './report.ts';

/** A report as the fields of one line of log: what the command does, its gravest alarm, and its facts as `CARD_FACT`. Tables are left out. */
export function statusFields({ subject, activity, alarms, alarmCount, cards }: StatusReport): LogFields {
  const [gravest] = alarms;
  const facts = cards.flatMap(({ id, facts }) =>
    facts.filter(({ value }) => value !== null).map((fact) => [`${id}_${fact.id}`, fact.value] as const),
  );
  return {
    subject,
    activity,
    alarms: alarmCount,
    ...(gravest !== undefined && { gravest: gravest.code, about: gravest.subject, cure: gravest.cure }),
    ...Object.fromEntries(facts),
  };
}
