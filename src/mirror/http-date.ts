/** How a date begins, in all forms of RFC 9110, 5.6.7. JavaScript takes "0" and "-1" for dates, too. */
const DATE = /^(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? /;

/** A time of HTTP, in ms since the epoch; undefined where it is none. */
export function httpTime(text: string | undefined): number | undefined {
  const value = text?.trim() ?? '';
  if (!DATE.test(value)) return undefined;
  const time = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`);
  return Number.isNaN(time) ? undefined : time;
}
