import type { Alarm } from '../observe/status/report.ts';
import { makeNotice } from './make-notice.ts';
import type { Notice } from './notice.ts';

/** Whose notices these are: `scan` or `receive`, and what it works on. */
export interface HookOwner {
  readonly command: string;
  readonly subject: string;
}

export interface SealedDirectory {
  readonly device: string;
  readonly directory: string;
  readonly atMs: number;
}

/** A data directory is sealed at its device, or has arrived so at the receiver. */
export function sealNotice({ command }: HookOwner, { device, directory, atMs }: SealedDirectory): Notice {
  return makeNotice({
    job: command,
    occasion: 'seal',
    run: undefined,
    atMs,
    title: `${command}: ${device}/${directory} is sealed`,
    lines: [`Directory: ${directory}`, `Device: ${device}`],
    fields: { command, device, directory },
    sameness: undefined,
  });
}

/** Something needs a person (`problem`), or does so no longer (`solved`). */
export function problemNotice(
  { command, subject: owner }: HookOwner,
  occasion: 'problem' | 'solved',
  { code, severity, subject, text, cure, since }: Alarm,
  atMs: number,
): Notice {
  const about = subject === '' ? '' : ` (${subject})`;
  return makeNotice({
    job: command,
    occasion,
    run: undefined,
    atMs,
    title: `${command}: ${occasion === 'problem' ? '' : 'no longer '}${code}${about}`,
    lines: [text, ...(occasion === 'problem' ? [cure] : []), `At work on: ${owner}`],
    fields: { command, code, severity, subject, error: text, cure, since },
    sameness: undefined,
  });
}
