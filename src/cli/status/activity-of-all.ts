import type { Activity } from '../../observe/status/report.ts';

/** Of several, what is most worth to be seen. */
const ORDER: readonly Activity[] = [
  'stopping',
  'working',
  'target full',
  'waiting for link',
  'starting',
  'idle',
];

/** What several do together just now. */
export function activityOfAll(all: readonly Activity[]): Activity {
  return ORDER.find((activity) => all.includes(activity)) ?? 'idle';
}
