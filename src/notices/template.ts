import { NOTICE_FIELDS } from './notice.ts';

/** `{field}`; other braces, as those of JSON, mean themselves. */
const FIELD = /\{([a-z]+)\}/g;
const KNOWN: ReadonlySet<string> = new Set(NOTICE_FIELDS);

/**
 * A text with its `{field}`s filled in. Those that the notice does not have are empty; what is no field of any notice stays as it is.
 * Where the template is JSON, values are escaped as its strings want it, so none of them can be more than a value.
 */
export function fillTemplate(template: string, fields: Readonly<Record<string, string>>): string {
  const escaped = isJson(template) ? inJson : (value: string): string => value;
  return template.replace(FIELD, (whole, name: string) =>
    KNOWN.has(name) ? escaped(fields[name] ?? '') : whole,
  );
}

/** Whether it is an object or a list of JSON, whatever the fields are: numbers may stand in it without quotes. */
export function isJson(template: string): boolean {
  try {
    const parsed: unknown = JSON.parse(template.replace(FIELD, '0'));
    return typeof parsed === 'object' && parsed !== null;
  } catch {
    return false;
  }
}

function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}
