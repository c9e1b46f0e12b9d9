import { Gauge, type Registry } from 'prom-client';
import type { Alarms } from '../../observe/status/alarms.ts';

/** Keeps in `registry` how many alarms there are, by code: what they are about is on the status page. */
export function measureAlarms(registry: Registry, alarms: Alarms): void {
  const shown: Gauge<'code' | 'severity'> = new Gauge({
    name: 'isync_alarms',
    help: 'What needs a person, by code',
    labelNames: ['code', 'severity'],
    registers: [registry],
    collect: () => {
      shown.reset();
      for (const { code, severity, count } of alarms.counts()) shown.set({ code, severity }, count);
    },
  });
}
