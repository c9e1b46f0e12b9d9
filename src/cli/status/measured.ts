import { Counter, Gauge, type Registry } from 'prom-client';

/** Metrics of what is known elsewhere: asked for when somebody reads them. What is undefined then is not shown. */
export function measured(registry: Registry, prefix: string) {
  const registers = [registry];
  return {
    gauge(name: string, help: string, value: () => number | undefined): void {
      const shown: Gauge = new Gauge({
        name: prefix + name,
        help,
        registers,
        collect: () => {
          const now = value();
          shown.reset();
          if (now === undefined) shown.remove();
          else shown.set(now);
        },
      });
    },

    counter(name: string, help: string, value: () => number): void {
      const shown: Counter = new Counter({
        name: prefix + name,
        help,
        registers,
        collect: () => {
          shown.reset();
          shown.inc(value());
        },
      });
    },

    /** One for each of several things that a label names. */
    gaugeBy<Label extends string>(
      name: string,
      help: string,
      label: Label,
      values: () => Iterable<readonly [string, number | undefined]>,
    ): void {
      const shown: Gauge<Label> = new Gauge({
        name: prefix + name,
        help,
        labelNames: [label],
        registers,
        collect: () => {
          shown.reset();
          for (const [name, value] of values()) if (value !== undefined) shown.labels(name).set(value);
        },
      });
    },

    counterBy<Label extends string>(
      name: string,
      help: string,
      label: Label,
      values: () => Iterable<readonly [string, number]>,
    ): void {
      const shown: Counter<Label> = new Counter({
        name: prefix + name,
        help,
        labelNames: [label],
        registers,
        collect: () => {
          shown.reset();
          for (const [name, value] of values()) shown.labels(name).inc(value);
        },
      });
    },
  };
}
