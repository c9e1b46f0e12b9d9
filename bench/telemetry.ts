import { Random } from '../harness/random.ts';

const SENSORS = [
  'pump-1/pressure',
  'pump-2/pressure',
  'boiler/temperature',
  'line-3/flow',
  'cabinet/humidity',
];
const LEVELS = ['info', 'info', 'info', 'info', 'debug', 'warn'];
const EVENTS = ['sample stored', 'sample out of range', 'calibration due', 'link to the controller renewed'];

/** Seeded JSON lines as a logger of measurements writes them: the same keys in each, numbers that wander, times that grow. */
export class Telemetry {
  readonly #random: Random;
  readonly #values = SENSORS.map(() => 500);
  #timeMs = Date.UTC(2026, 0, 1);
  #sequence = 0;
  #rest = '';

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  /** The next `length` bytes; lines go on from one call to the next. */
  read(length: number): Buffer {
    const lines = [this.#rest];
    for (let written = this.#rest.length; written < length; written += lines.at(-1)?.length ?? 0)
      lines.push(this.#line());
    const text = lines.join('');
    this.#rest = text.slice(length);
    return Buffer.from(text.slice(0, length), 'latin1');
  }

  #line(): string {
    const random = this.#random;
    this.#timeMs += random.int(0, 249);
    const at = random.int(0, SENSORS.length - 1);
    const value = (this.#values[at] ?? 0) + random.int(-1000, 1000) / 100;
    this.#values[at] = value;
    return `${JSON.stringify({
      time: new Date(this.#timeMs).toISOString(),
      level: random.pick(LEVELS),
      sequence: this.#sequence++,
      sensor: SENSORS[at],
      value: Number(value.toFixed(3)),
      raw: random.int(0, 0xff_ffff).toString(16),
      event: random.pick(EVENTS),
    })}\n`;
  }
}
