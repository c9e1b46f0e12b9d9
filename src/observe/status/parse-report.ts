import { z } from 'zod';
import { IsyncError } from '../../model/isync-error.ts';

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
// A newer isync may have more of them: what is not known is shown as it is.
const unit = z.enum(['count', 'bytes', 'bytesPerSecond', 'seconds', 'time']).optional().catch(undefined);

const table = z.object({
  columns: z.array(z.object({ id: z.string(), label: z.string(), unit })),
  rows: z.array(z.object({ key: z.string(), cells: z.array(value), alarmed: z.boolean().optional() })),
  total: z.number(),
});

const report = z.object({
  command: z.string(),
  subject: z.string(),
  version: z.string(),
  host: z.string(),
  pid: z.number(),
  startedAt: z.string(),
  at: z.string(),
  activity: z.string(),
  alarms: z.array(
    z.object({
      code: z.string(),
      severity: z.enum(['warning', 'critical']).catch('critical'),
      subject: z.string(),
      text: z.string(),
      cure: z.string(),
      since: z.string(),
    }),
  ),
  alarmCount: z.number(),
  cards: z.array(
    z.object({
      id: z.string(),
      title: z.string(),
      facts: z.array(z.object({ id: z.string(), label: z.string(), value, unit })),
      table: table.optional(),
    }),
  ),
});

/** A StatusReport of another process, which may be of another version. */
export type ToldReport = z.output<typeof report>;

/** @throws IsyncError PROTOCOL: it is no report */
export function parseReport(json: string): ToldReport {
  try {
    return report.parse(JSON.parse(json));
  } catch (cause) {
    throw new IsyncError('PROTOCOL', 'the answer is no status of isync', { cause });
  }
}
