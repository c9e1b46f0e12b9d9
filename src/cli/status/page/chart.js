/** Width and height of the drawing; CSS stretches it. */
const WIDTH = 120;
const HEIGHT = 32;
const SVG = 'http://www.w3.org/2000/svg';

/** The last values of something, one a second. */
export class History {
  /** @type {number[]} */
  #values = [];
  #most;

  /** @param {number} most values */
  constructor(most) {
    this.#most = most;
  }

  /** @param {number} value */
  add(value) {
    this.#values.push(value);
    if (this.#values.length > this.#most) this.#values.shift();
  }

  get highest() {
    return Math.max(0, ...this.#values);
  }

  /** The line through all values, from the right edge; '' while there is none. */
  get points() {
    const { highest } = this;
    const step = WIDTH / (this.#most - 1);
    const left = WIDTH - (this.#values.length - 1) * step;
    if (this.#values.length < 2) return '';
    return this.#values
      .map((value, at) => {
        const y = HEIGHT - 1 - (highest === 0 ? 0 : (value / highest) * (HEIGHT - 3));
        return `${(left + at * step).toFixed(1)},${y.toFixed(1)}`;
      })
      .join(' ');
  }
}

/** A line chart that is told its points. */
export class Chart {
  element;
  #line;
  #area;

  /** @param {string} className */
  constructor(className) {
    this.element = document.createElementNS(SVG, 'svg');
    this.element.setAttribute('class', className);
    this.element.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.element.setAttribute('preserveAspectRatio', 'none');
    this.element.setAttribute('aria-hidden', 'true');
    this.#area = document.createElementNS(SVG, 'polygon');
    this.#area.setAttribute('class', 'area');
    this.#line = document.createElementNS(SVG, 'polyline');
    this.element.append(this.#area, this.#line);
  }

  /** @param {string} points */
  draw(points) {
    if (this.#line.getAttribute('points') === points) return;
    this.#line.setAttribute('points', points);
    const [first = ''] = points.split(',', 1);
    this.#area.setAttribute('points', points === '' ? '' : `${first},${HEIGHT} ${points} ${WIDTH},${HEIGHT}`);
  }

  /** @param {string} text what it shows, for who can't see it */
  label(text) {
    this.element.setAttribute('role', 'img');
    this.element.removeAttribute('aria-hidden');
    this.element.setAttribute('aria-label', text);
  }
}
