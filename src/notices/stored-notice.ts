import { z } from 'zod';
import { NOTICE_FIELDS, type Notice } from './notice.ts';
import { OCCASIONS } from './rule.ts';

const stored = z.object({
  job: z.string(),
  occasion: z.enum(OCCASIONS),
  run: z.string().optional(),
  atMs: z.number(),
  title: z.string(),
  lines: z.array(z.string()),
  fields: z.partialRecord(z.enum(NOTICE_FIELDS), z.string()),
  sameness: z.string().optional(),
});

export function encodeNotice(notice: Notice): string {
  return JSON.stringify(notice);
}

/** Undefined for what is no notice: an older or newer isync has written it, or somebody else. */
export function decodeNotice(text: string): Notice | undefined {
  try {
    const { run, sameness, ...notice } = stored.parse(JSON.parse(text));
    return { ...notice, run, sameness };
  } catch {
    return undefined;
  }
}
