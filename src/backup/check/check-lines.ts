import type { StoreCheck } from './check-job.ts';
import type { CheckedThing, CheckResult } from './permissions.ts';
import type { Percentiles } from './percentiles.ts';
import type { EndpointHealth } from './store-health.ts';

export const THINGS: Readonly<Record<CheckedThing, string>> = {
  list: 'list objects',
  uploads: 'list uploads under way',
  upload: 'put an object in parts',
  tags: 'put tags',
  parts: 'list parts',
  read: 'read back',
  lock: 'lock, and the lock holds',
  abort: 'abort an upload',
  remove: 'remove',
  clock: 'clocks agree',
};

/** A check for people: a line for the store, and one below it for each thing. Characters of control are the printer's to replace. */
export function checkLines({ health, permissions, identity, isOk }: StoreCheck): string[] {
  return [
    `${health.store}: ${isOk ? 'ok' : 'FAILED'}`,
    ...health.endpoints.map((endpoint) => `  ${endpointLine(endpoint)}`),
    ...permissions.map((result) => `  ${permissionLine(result)}`),
    ...(identity.outcome === 'skipped'
      ? []
      : [
          identity.outcome === 'ok'
            ? `  ok      the identity file opens ${identity.backup}`
            : `  FAILED  the identity file opens the newest backup: ${identity.error.message}`,
        ]),
  ];
}

function endpointLine({ endpoint, isUp, fault, measured }: EndpointHealth): string {
  const state = isUp ? 'ok    ' : 'FAILED';
  const why =
    fault === undefined ? '' : `: ${fault.message}${fault.hint === undefined ? '' : ` ${fault.hint}`}`;
  if (measured === undefined) return `${state}  ${endpoint}${why}`;
  const { samples, lost, connectMs, firstByteMs } = measured;
  return `${state}  ${endpoint}: connect ${timesOf(connectMs)}, first byte ${timesOf(firstByteMs)}, ${lost} of ${samples} lost${why}`;
}

function timesOf(times: Percentiles | undefined): string {
  return times === undefined ? '-' : `${inMs(times.p50)} (p95 ${inMs(times.p95)})`;
}

function inMs(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

function permissionLine({ thing, actions, neededBy, outcome, error }: CheckResult): string {
  const what = THINGS[thing];
  if (outcome === 'ok') return `ok      ${what}`;
  if (outcome === 'skipped') return `-       ${what}: not tried`;
  const needs =
    actions.length === 0 || error?.code !== 'STORE_REFUSED' ? '' : ` (needs ${actions.join(', ')})`;
  const state = neededBy === 'prune' ? 'no    ' : 'FAILED';
  const remark = neededBy === 'prune' ? '; only a prune needs it' : '';
  return `${state}  ${what}: ${error?.message ?? 'failed'}${needs}${remark}`;
}
