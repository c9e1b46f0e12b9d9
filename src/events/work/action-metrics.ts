import { Counter, Histogram, type Registry } from 'prom-client';
import type { Act, Action } from '../action/action.ts';

/** From a comparison that finds nothing to do to a script's longest time, in seconds. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];

/** Keeps in `registry` how long actions take, and how often one has looked again. */
export class ActionMetrics {
  readonly #seconds: Histogram<'action'>;
  readonly #lookedAgain: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#seconds = new Histogram({
      name: 'isync_action_seconds',
      help: 'From the turn of an event until its action has ended, whatever came of it',
      labelNames: ['action'],
      buckets: SECONDS,
      registers,
    });
    this.#lookedAgain = new Counter({
      name: 'isync_action_looked_again_total',
      help: 'Actions done again because the object had changed meanwhile',
      registers,
    });
  }

  readonly lookedAgain = (): void => this.#lookedAgain.inc();

  /** The same action, measured. */
  timed<Target>({ name, act }: Pick<Action<Target>, 'name' | 'act'>): Act<Target> {
    return async (task, signal) => {
      const ended = this.#seconds.startTimer({ action: name });
      try {
        return await act(task, signal);
      } finally {
        ended();
      }
    };
  }
}
