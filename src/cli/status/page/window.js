import { Chart } from './chart.js';
import { detail, shown } from './text.js';

/**
 * Shows of a list of rows those that can be seen, so that a list of ten thousand costs what one of fifty does. The others are
 * room above and below; `aria-rowindex` tells which rows are shown.
 * @typedef {import('../../../observe/status/report.ts').Row} Row
 * @typedef {import('../../../observe/status/report.ts').Column} Column
 */

/** Of a row, in px, until one was measured. */
const ROW_PX = 36;
/** Rows beyond what can be seen, at each end: for a flick of the wheel. */
const SPARE = 8;

export class RowWindow {
  #region;
  #above = spaceRow();
  #below = spaceRow();
  /** @type {readonly Column[]} */
  #columns;
  /** @type {RowView[]} */
  #views = [];
  /** @type {readonly Row[]} */
  #rows = [];
  #pointsOf;
  #rowPx = ROW_PX;
  #nowMs = 0;

  /**
   * @param {HTMLElement} region that scrolls
   * @param {HTMLTableSectionElement} body
   * @param {readonly Column[]} columns
   * @param {(row: Row, column: number) => string} pointsOf the line of a cell's chart
   */
  constructor(region, body, columns, pointsOf) {
    this.#region = region;
    this.#columns = columns;
    this.#pointsOf = pointsOf;
    body.append(this.#above.row, this.#below.row);
    let isAsked = false;
    region.addEventListener(
      'scroll',
      () => {
        if (isAsked) return;
        isAsked = true;
        requestAnimationFrame(() => {
          isAsked = false;
          this.#draw();
        });
      },
      { passive: true },
    );
  }

  /**
   * @param {readonly Row[]} rows
   * @param {number} nowMs
   */
  show(rows, nowMs) {
    this.#rows = rows;
    this.#nowMs = nowMs;
    this.#draw();
  }

  #draw() {
    const { scrollTop, clientHeight } = this.#region;
    const fit = Math.ceil((clientHeight || 600) / this.#rowPx) + 2 * SPARE;
    const last = Math.max(0, this.#rows.length - fit);
    // Even, so that stripes and screen readers see the same rows while they scroll by one.
    const first = Math.min(last, Math.max(0, Math.floor(scrollTop / this.#rowPx) - SPARE));
    const seen = this.#rows.slice(first, first + fit);
    while (this.#views.length < seen.length) {
      const view = new RowView(this.#columns);
      this.#views.push(view);
      this.#below.row.before(view.element);
    }
    for (const view of this.#views.splice(seen.length)) view.element.remove();
    seen.forEach((row, at) => this.#views[at]?.show(row, first + at, this.#nowMs, this.#pointsOf));
    this.#above.grow(first * this.#rowPx);
    this.#below.grow((this.#rows.length - first - seen.length) * this.#rowPx);
    this.#measure();
  }

  #measure() {
    const height = this.#views[0]?.element.offsetHeight ?? 0;
    if (height === 0 || height === this.#rowPx) return;
    this.#rowPx = height;
    this.#draw();
  }
}

/** A row that shows one row of the list, and later another. */
class RowView {
  element = document.createElement('tr');
  #columns;
  /** @type {{ text: Text, cell: HTMLElement, chart: Chart | undefined }[]} */
  #cells = [];

  /** @param {readonly Column[]} columns */
  constructor(columns) {
    this.#columns = columns;
    for (const [at, { unit }] of columns.entries()) {
      const cell = document.createElement(at === 0 ? 'th' : 'td');
      if (at === 0) cell.setAttribute('scope', 'row');
      if (unit !== undefined) cell.dataset['number'] = '';
      const chart = unit === 'bytesPerSecond' ? new Chart('chart spark') : undefined;
      if (chart !== undefined) cell.append(chart.element);
      const text = document.createTextNode('');
      cell.append(text);
      this.element.append(cell);
      this.#cells.push({ text, cell, chart });
    }
  }

  /**
   * @param {Row} row
   * @param {number} index from 0
   * @param {number} nowMs
   * @param {(row: Row, column: number) => string} pointsOf
   */
  show(row, index, nowMs, pointsOf) {
    // Of the head there is one more.
    this.element.setAttribute('aria-rowindex', String(index + 2));
    this.element.toggleAttribute('data-alarmed', row.alarmed === true);
    for (const [at, { text, cell, chart }] of this.#cells.entries()) {
      const value = row.cells[at] ?? null;
      const unit = this.#columns[at]?.unit;
      const now = shown(value, unit, nowMs);
      if (text.data !== now) text.data = now;
      const more = detail(value, unit) || now;
      if (cell.title !== more) cell.title = more;
      chart?.draw(pointsOf(row, at));
    }
  }
}

function spaceRow() {
  const row = document.createElement('tr');
  row.className = 'space';
  row.setAttribute('aria-hidden', 'true');
  const cell = row.insertCell();
  /** @param {number} px */
  const grow = (px) => {
    row.hidden = px === 0;
    cell.style.height = `${px}px`;
  };
  return { row, grow };
}
