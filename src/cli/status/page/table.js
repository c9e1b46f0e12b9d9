import { History } from './chart.js';
import { setText } from './dom.js';
import { printable } from './text.js';
import { RowWindow } from './window.js';

/**
 * A table that can be filtered and sorted.
 * @typedef {import('../../../observe/status/report.ts').Table} Table
 * @typedef {import('../../../observe/status/report.ts').Row} Row
 * @typedef {import('../../../observe/status/report.ts').Column} Column
 */

/** Values of a row's chart: a minute. */
const HISTORY = 60;
/** Rows that have a chart: beyond, the memory of a browser is worth more. */
const MOST_CHARTS = 5_000;
/** From this many rows on there is something to filter. */
const FILTER_FROM = 8;
const ORDER = new Intl.Collator('en', { numeric: true });
const COUNTS = new Intl.NumberFormat('en-US');

let tables = 0;

export class TableView {
  element = document.createElement('div');
  #name;
  #tools = make('div', 'tools');
  #filter = document.createElement('input');
  #alarmedOnly = document.createElement('input');
  #alarmedLabel = document.createElement('label');
  #count = make('span', 'count');
  #table = document.createElement('table');
  /** @type {HTMLTableCellElement[]} */
  #heads = [];
  /** @type {HTMLTableColElement[]} */
  #cols = [];
  /** @type {number[]} */
  #widths = [];
  #columns;
  #window;
  /** @type {Table} */
  #shown;
  /** @type {{ column: number, isDown: boolean } | undefined} */
  #sort;
  /** @type {Map<string, History[]>} */
  #histories = new Map();
  /** @type {WeakMap<Row, string>} */
  #texts = new WeakMap();
  /** @type {readonly Row[] | undefined} */
  #view;
  #nowMs = 0;

  /**
   * @param {string} name
   * @param {Table} table
   */
  constructor(name, table) {
    this.#name = name;
    this.#shown = table;
    this.#columns = table.columns;
    const region = make('div', 'rows');
    region.tabIndex = 0;
    region.setAttribute('role', 'region');
    region.setAttribute('aria-label', `${name}, table`);
    region.append(this.#table);
    this.#makeTools();
    const body = this.#makeTable();
    this.#window = new RowWindow(region, body, this.#columns, (row, column) => this.#pointsOf(row, column));
    this.element.append(this.#tools, region);
  }

  /** @param {Table} table takes over what is new; `draw` shows it */
  take(table) {
    if (table.rows !== this.#shown.rows || this.#view === undefined) this.#view = undefined;
    this.#shown = table;
  }

  /** @param {number} nowMs */
  draw(nowMs) {
    this.#nowMs = nowMs;
    const { rows, total } = this.#shown;
    if (this.#view === undefined) {
      this.#view = this.#sorted(rows.filter((row) => this.#isWanted(row)));
      this.#fit();
    }
    const view = this.#view;
    const hasAlarmed = this.#alarmedOnly.checked || rows.some(({ alarmed }) => alarmed === true);
    this.#alarmedLabel.hidden = !hasAlarmed;
    this.#tools.hidden = rows.length < FILTER_FROM && !hasAlarmed && rows.length === total;
    const left = total > rows.length ? `; ${COUNTS.format(total - rows.length)} more are not listed` : '';
    setText(this.#count, `${COUNTS.format(view.length)} of ${COUNTS.format(rows.length)} shown${left}`);
    this.#table.setAttribute('aria-rowcount', String(view.length + 1));
    this.#window.show(view, nowMs);
  }

  #makeTools() {
    const id = `filter-${++tables}`;
    const label = document.createElement('label');
    label.htmlFor = id;
    label.textContent = 'Filter';
    this.#filter.id = id;
    this.#filter.type = 'search';
    this.#filter.setAttribute('aria-label', `Filter ${this.#name}`);
    this.#filter.autocomplete = 'off';
    this.#alarmedOnly.type = 'checkbox';
    this.#alarmedLabel.append(this.#alarmedOnly, 'Only those with a problem');
    for (const input of [this.#filter, this.#alarmedOnly])
      input.addEventListener('input', () => this.#again());
    this.#count.setAttribute('role', 'status');
    this.#tools.append(label, this.#filter, this.#alarmedLabel, this.#count);
  }

  #makeTable() {
    const columns = document.createElement('colgroup');
    const head = this.#table.createTHead().insertRow();
    head.setAttribute('aria-rowindex', '1');
    for (const [at, { label, unit }] of this.#columns.entries()) {
      const cell = document.createElement('th');
      cell.scope = 'col';
      if (unit !== undefined) cell.dataset['number'] = '';
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = printable(label);
      button.addEventListener('click', () => this.#sortBy(at));
      cell.append(button);
      head.append(cell);
      const col = document.createElement('col');
      columns.append(col);
      this.#heads.push(cell);
      this.#cols.push(col);
      this.#widths.push(0);
    }
    this.#table.prepend(columns);
    return this.#table.createTBody();
  }

  /** @param {number} column */
  #sortBy(column) {
    const isNumber = this.#columns[column]?.unit !== undefined;
    const before = this.#sort?.column === column ? this.#sort : undefined;
    // Of numbers the largest come first: it is these that somebody looks for.
    this.#sort = { column, isDown: before === undefined ? isNumber : !before.isDown };
    for (const [at, head] of this.#heads.entries())
      if (at === column) head.setAttribute('aria-sort', this.#sort.isDown ? 'descending' : 'ascending');
      else head.removeAttribute('aria-sort');
    this.#again();
  }

  #again() {
    this.#view = undefined;
    this.draw(this.#nowMs);
  }

  /** @param {Row} row */
  #isWanted(row) {
    if (this.#alarmedOnly.checked && row.alarmed !== true) return false;
    const wanted = this.#filter.value.trim().toLowerCase();
    return wanted === '' || this.#textOf(row).includes(wanted);
  }

  /** @param {Row} row */
  #textOf(row) {
    let text = this.#texts.get(row);
    if (text === undefined) {
      text = printable(row.cells.filter((cell) => typeof cell === 'string').join('\t')).toLowerCase();
      this.#texts.set(row, text);
    }
    return text;
  }

  /** @param {Row[]} rows */
  #sorted(rows) {
    const sort = this.#sort;
    if (sort === undefined) return rows;
    const { column, isDown } = sort;
    return rows.sort((one, other) => {
      const a = one.cells[column] ?? null;
      const b = other.cells[column] ?? null;
      // What is not known comes last, either way.
      if (a === null || b === null) return Number(a === null) - Number(b === null);
      const order =
        typeof a === 'number' && typeof b === 'number' ? a - b : ORDER.compare(String(a), String(b));
      return isDown ? -order : order;
    });
  }

  /** Columns grow with the longest text that they have had, and never jump back. */
  #fit() {
    let whole = 0;
    for (const [at, { label, unit }] of this.#columns.entries()) {
      let width = Math.max(label.length + 5, unit === undefined ? 8 : 13);
      if (unit === 'bytesPerSecond') width = Math.max(width, 24);
      if (unit === undefined)
        for (const { cells } of this.#shown.rows) width = Math.max(width, String(cells[at] ?? '').length + 4);
      width = Math.min(width, at === 0 ? 36 : 30);
      const known = this.#widths[at] ?? 0;
      if (width > known) this.#widths[at] = width;
      whole += Math.max(width, known);
    }
    for (const [at, col] of this.#cols.entries())
      col.style.width = `${(((this.#widths[at] ?? 0) * 100) / whole).toFixed(2)}%`;
    this.#table.style.minWidth = `${whole}ch`;
  }

  /** Takes a sample of each rate of each row. */
  sample() {
    const rates = this.#columns.flatMap(({ unit }, at) => (unit === 'bytesPerSecond' ? [at] : []));
    if (rates.length === 0) return;
    const { rows } = this.#shown;
    if (this.#histories.size > rows.length) {
      const keys = new Set(rows.map(({ key }) => key));
      for (const key of this.#histories.keys()) if (!keys.has(key)) this.#histories.delete(key);
    }
    for (const { key, cells } of rows) {
      let its = this.#histories.get(key);
      if (its === undefined) {
        if (this.#histories.size >= MOST_CHARTS) continue;
        this.#histories.set(key, (its = rates.map(() => new History(HISTORY))));
      }
      for (const [at, column] of rates.entries()) {
        const value = cells[column];
        its[at]?.add(typeof value === 'number' ? value : 0);
      }
    }
  }

  /**
   * @param {Row} row
   * @param {number} column
   */
  #pointsOf(row, column) {
    const before = this.#columns.slice(0, column).filter(({ unit }) => unit === 'bytesPerSecond').length;
    return this.#histories.get(row.key)?.[before]?.points ?? '';
  }
}

/**
 * @param {string} tag
 * @param {string} className
 */
function make(tag, className) {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}
