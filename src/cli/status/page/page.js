import { Alarms } from './alarms.js';
import { Cards } from './cards.js';
import { setText } from './dom.js';
import { Feed } from './feed.js';
import { at, printable, shown } from './text.js';

/**
 * The status page of any command: it shows the report that it is told, whatever cards that has.
 * @typedef {import('../../../observe/status/report.ts').StatusReport} StatusReport
 * @typedef {import('./feed.js').Link} Link
 */

/** What a colour tells of a state, beside its word. */
const TONES = new Map([
  ['working', 'good'],
  ['target full', 'bad'],
  ['waiting for link', 'bad'],
]);

const alarms = new Alarms(byId('alarms'), byId('alarms-title'), byId('alarm-list'), byId('alarms-more'));
const cards = new Cards(byId('cards'));
/** @type {StatusReport | undefined} */
let report;
/** What the clock of the command has before ours, in ms: ages are told by its clock. */
let aheadMs = 0;
let isAsked = false;

const feed = new Feed({
  report: (told) => {
    report = told;
    aheadMs = Date.parse(told.at) - Date.now();
    cards.take(told.cards);
    ask();
  },
  link: showLink,
});

byId('again').addEventListener('click', () => feed.connect());
byId('login').addEventListener('submit', (event) => {
  event.preventDefault();
  const field = byId('token');
  if (!(field instanceof HTMLInputElement)) return;
  const token = field.value.trim();
  field.value = '';
  byId('login').hidden = true;
  feed.useToken(token);
});
// By our own clock, so that charts are of what they say; and ages go on while nothing comes.
setInterval(() => {
  if (byId('link').dataset['link'] === 'live') cards.sample();
  ask();
}, 1_000);
feed.connect();

/** Has the page drawn once, however much has come until then; not while nobody sees it. */
function ask() {
  if (isAsked || report === undefined) return;
  isAsked = true;
  requestAnimationFrame(() => {
    isAsked = false;
    if (report !== undefined) draw(report);
  });
}

/** @param {StatusReport} told */
function draw(told) {
  const nowMs = Date.now() + aheadMs;
  setText(byId('command'), `isync ${printable(told.command)}`);
  setText(byId('host'), `on ${printable(told.host)}`);
  setText(byId('subject'), printable(told.subject));
  const mark = told.alarmCount > 0 ? `(${told.alarmCount}) ` : '';
  document.title = `${mark}isync ${printable(told.command)} on ${printable(told.host)}`;
  const activity = byId('activity');
  activity.hidden = false;
  setText(activity, told.activity);
  activity.dataset['tone'] = TONES.get(told.activity) ?? '';
  alarms.draw(told, nowMs);
  cards.draw(nowMs);
  const began = Date.parse(told.startedAt);
  setText(
    byId('footer'),
    `Version ${printable(told.version)}, process ${told.pid}, started ${shown(began, 'time', nowMs)} (${at(began)})`,
  );
  for (const id of ['main', 'footer']) byId(id).hidden = false;
}

/** @param {Link} link */
function showLink(link) {
  const badge = byId('link');
  if (badge.dataset['link'] !== link.state) {
    badge.dataset['link'] = link.state;
    const words = { connecting: 'Connecting…', live: 'Live', lost: 'Not connected', token: 'Token needed' };
    setText(badge, words[link.state]);
    setText(byId('spoken'), words[link.state]);
  }
  byId('lost').hidden = link.state !== 'lost';
  if (link.state === 'lost') {
    const as = report === undefined ? '' : ` What is shown is of ${at(Date.parse(report.at))}.`;
    const again = `Trying again in ${Math.ceil(link.againMs / 1000)} s.`;
    setText(byId('lost-text'), `Not connected: ${printable(link.reason)}. ${again}${as}`);
  }
  if (link.state !== 'token') return;
  const text = byId('login-text');
  if (link.wasWrong) {
    text.dataset['wrong'] = '';
    text.textContent =
      'That is not the token of this command. It is in the file that --status-token-file names.';
  }
  for (const id of ['main', 'footer']) byId(id).hidden = true;
  byId('login').hidden = false;
  byId('token').focus();
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no ${id}`);
  return found;
}
