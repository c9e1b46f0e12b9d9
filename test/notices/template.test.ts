import { assert, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NOTICE_FIELDS } from '../../src/notices/notice.ts';
import { fillTemplate } from '../../src/notices/template.ts';

describe('a template', () => {
  it('of JSON stays JSON with the very values, whatever they are', () => {
    assert(
      property(string({ unit: 'binary' }), string({ unit: 'grapheme' }), (error, title) => {
        const filled = fillTemplate('{"a":{"{job}":["x {error} y"]},"b":"{title}"}', {
          error,
          title,
          job: 'app',
        });
        expect(JSON.parse(filled)).toEqual({ a: { app: [`x ${error} y`] }, b: title });
      }),
    );
  });

  it('takes no value for a template, and no pattern of replacements from it', () => {
    const values = { job: '{error}', error: "$& $1 $' {job}" };
    expect(fillTemplate('{job} {error}', values)).toBe("{error} $& $1 $' {job}");
    expect(JSON.parse(fillTemplate('["{job}","{error}"]', values))).toEqual([values.job, values.error]);
  });

  it('knows every field, and leaves other braces alone', () => {
    for (const field of NOTICE_FIELDS) expect(fillTemplate(`<{${field}}>`, { [field]: 'x' })).toBe('<x>');
    for (const field of NOTICE_FIELDS) expect(fillTemplate(`<{${field}}>`, {})).toBe('<>');
    expect(fillTemplate('{ job } {Job} {jobs} {} {{job}}', { job: 'x' })).toBe('{ job } {Job} {jobs} {} {x}');
  });
});
