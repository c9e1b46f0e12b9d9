import type { Occasion } from '../rule.ts';
import type { Notice } from '../notice.ts';
import { cutTo, post } from './post.ts';
import { textOf } from './robots.ts';

/** https://healthchecks.io/docs/attaching_logs/: what is behind the first 100 kB is cut there. */
const BODY_BYTES = 10_000;

/** Of other occasions the other side finds out itself: that nothing has come. */
const ENDINGS: Readonly<Partial<Record<Occasion, string>>> = {
  start: '/start',
  success: '',
  // A run with problems ends with 1, which is a failure there too: https://healthchecks.io/docs/signaling_failures/
  problems: '/fail',
  failure: '/fail',
};

/** Tells a monitor of cron jobs, as healthchecks.io takes it: `rid` puts start and end of a run together. */
export async function sendPing(url: string, notice: Notice, signal: AbortSignal): Promise<void> {
  const ending = ENDINGS[notice.occasion];
  if (ending === undefined) return;
  const address = new URL(url);
  address.pathname = `${address.pathname.replace(/\/+$/, '')}${ending}`;
  if (notice.run !== undefined) address.searchParams.set('rid', notice.run);
  const headers = { 'content-type': 'text/plain; charset=utf-8' };
  await post({ url: address.href, headers, body: cutTo(textOf(notice), BODY_BYTES) }, signal);
}
