import { setText } from './dom.js';
import { at, printable, shown } from './text.js';

/**
 * What needs a person, with its cure.
 * @typedef {import('../../../observe/status/report.ts').StatusReport} StatusReport
 * @typedef {import('../../../observe/status/report.ts').Alarm} Alarm
 */

export class Alarms {
  #section;
  #title;
  #list;
  #more;
  /** By code and subject. @type {Map<string, AlarmView>} */
  #views = new Map();

  /**
   * @param {HTMLElement} section
   * @param {HTMLElement} title
   * @param {HTMLElement} list
   * @param {HTMLElement} more
   */
  constructor(section, title, list, more) {
    this.#section = section;
    this.#title = title;
    this.#list = list;
    this.#more = more;
    // Only this is spoken of by itself: numbers change each second.
    title.setAttribute('role', 'status');
  }

  /**
   * @param {StatusReport} report
   * @param {number} nowMs
   */
  draw({ alarms, alarmCount }, nowMs) {
    const words = alarmCount === 1 ? '1 thing needs a person' : `${alarmCount} things need a person`;
    setText(this.#title, alarmCount === 0 ? 'Nothing needs a person' : words);
    this.#section.dataset['count'] = String(alarmCount);
    const keys = new Set(alarms.map(keyOf));
    for (const [key, { element }] of this.#views)
      if (!keys.has(key)) {
        element.remove();
        this.#views.delete(key);
      }
    for (const [index, alarm] of alarms.entries()) {
      const key = keyOf(alarm);
      let view = this.#views.get(key);
      if (view === undefined) this.#views.set(key, (view = new AlarmView()));
      view.draw(alarm, nowMs);
      const here = this.#list.children[index];
      if (here !== view.element) this.#list.insertBefore(view.element, here ?? null);
    }
    const left = alarmCount - alarms.length;
    this.#more.hidden = left <= 0;
    setText(this.#more, left > 0 ? `and ${left} more` : '');
  }
}

class AlarmView {
  element = document.createElement('li');
  #head = document.createElement('strong');
  #text = document.createElement('p');
  #cure = document.createElement('p');
  #code = document.createElement('p');

  constructor() {
    this.element.className = 'alarm';
    this.#code.className = 'code';
    this.#text.append(this.#head);
    this.element.append(this.#text, this.#cure, this.#code);
  }

  /**
   * @param {Alarm} alarm
   * @param {number} nowMs
   */
  draw({ severity, subject, text, cure, code, since }, nowMs) {
    const sinceMs = Date.parse(since);
    this.element.dataset['severity'] = severity;
    setText(this.#head, `${severity === 'critical' ? 'Critical' : 'Warning'}: ${printable(text)}`);
    setText(this.#cure, printable(cure));
    const about = subject === '' ? '' : ` · ${printable(subject)}`;
    setText(this.#code, `${printable(code)}${about} · began ${shown(sinceMs, 'time', nowMs)}`);
    this.#code.title = at(sinceMs);
  }
}

/** @param {Alarm} alarm */
function keyOf({ code, subject }) {
  return `${code}\0${subject}`;
}
