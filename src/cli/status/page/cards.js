import { Chart, History } from './chart.js';
import { setText } from './dom.js';
import { TableView } from './table.js';
import { detail, printable, shown } from './text.js';

/**
 * The cards of a report, whatever they hold.
 * @typedef {import('../../../observe/status/report.ts').StatusReport} StatusReport
 * @typedef {import('../../../observe/status/report.ts').Card} Card
 * @typedef {import('../../../observe/status/report.ts').Fact} Fact
 */

/** Values of a chart: two minutes. */
const HISTORY = 120;

export class Cards {
  #element;
  /** @type {CardView[]} */
  #views = [];
  #kind = '';

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {readonly Card[]} cards */
  take(cards) {
    const kind = JSON.stringify(cards.map(({ id, title, table }) => [id, title, table?.columns]));
    if (kind !== this.#kind) {
      this.#kind = kind;
      this.#views = cards.map((card) => new CardView(card));
      this.#element.replaceChildren(...this.#views.map(({ element }) => element));
    }
    for (const [at, card] of cards.entries()) this.#views[at]?.take(card);
  }

  /** Has charts go on by one value; to be called once a second. */
  sample() {
    for (const view of this.#views) view.sample();
  }

  /** @param {number} nowMs */
  draw(nowMs) {
    for (const view of this.#views) view.draw(nowMs);
  }
}

class CardView {
  element = document.createElement('section');
  #facts = document.createElement('dl');
  /** @type {Map<string, FactView>} */
  #views = new Map();
  #table;

  /** @param {Card} card */
  constructor({ id, title, table }) {
    const head = document.createElement('h2');
    head.id = `card-${id}`;
    head.textContent = printable(title);
    this.element.className = 'card';
    this.element.dataset['card'] = id;
    this.element.setAttribute('aria-labelledby', head.id);
    this.#facts.className = 'facts';
    this.element.append(head, this.#facts);
    if (table === undefined) return;
    this.#table = new TableView(title, table);
    this.element.dataset['wide'] = '';
    this.element.append(this.#table.element);
  }

  /** @param {Card} card */
  take({ facts, table }) {
    const ids = new Set(facts.map(({ id }) => id));
    for (const [id, view] of this.#views)
      if (!ids.has(id)) {
        view.element.remove();
        this.#views.delete(id);
      }
    for (const fact of facts) {
      let view = this.#views.get(fact.id);
      if (view === undefined) {
        this.#views.set(fact.id, (view = new FactView(fact)));
        this.#facts.append(view.element);
      }
      view.take(fact);
    }
    this.#facts.hidden = facts.length === 0;
    if (table !== undefined) this.#table?.take(table);
  }

  sample() {
    for (const view of this.#views.values()) view.sample();
    this.#table?.sample();
  }

  /** @param {number} nowMs */
  draw(nowMs) {
    for (const view of this.#views.values()) view.draw(nowMs);
    this.#table?.draw(nowMs);
  }
}

/** A fact; of a rate with a chart of its last two minutes. */
class FactView {
  element = document.createElement('div');
  #label = document.createElement('dt');
  #value = document.createElement('dd');
  #chart;
  #history = new History(HISTORY);
  #fact;

  /** @param {Fact} fact */
  constructor(fact) {
    this.#fact = fact;
    this.element.className = 'fact';
    this.element.dataset['fact'] = fact.id;
    this.element.append(this.#label, this.#value);
    if (fact.unit !== 'bytesPerSecond') return;
    this.#chart = new Chart('chart');
    const cell = document.createElement('dd');
    cell.append(this.#chart.element);
    this.element.append(cell);
    this.element.dataset['chart'] = '';
  }

  /** @param {Fact} fact */
  take(fact) {
    this.#fact = fact;
  }

  sample() {
    const { value } = this.#fact;
    if (this.#chart !== undefined) this.#history.add(typeof value === 'number' ? value : 0);
  }

  /** @param {number} nowMs */
  draw(nowMs) {
    const { label, value, unit } = this.#fact;
    setText(this.#label, printable(label));
    setText(this.#value, shown(value, unit, nowMs));
    const more = detail(value, unit);
    if (this.#value.title !== more) this.#value.title = more;
    if (this.#chart === undefined) return;
    this.#chart.draw(this.#history.points);
    const highest = shown(this.#history.highest, unit, nowMs);
    this.#chart.label(`${printable(label)} in the last two minutes, at most ${highest}`);
  }
}
