import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MAX_REPORT_BYTES, MAX_REPORT_PROBLEMS, MAX_REPORT_TEXT } from '../../src/protocol/limits.ts';
import { formatReport, parseReport, type DeviceReport } from '../../src/protocol/report.ts';
import { reports } from './arbitraries.ts';

const REPORT: DeviceReport = {
  files: 3,
  bytes: 4096,
  oldestSeconds: 60,
  directory: 'DC1',
  sealed: 2,
  unsealed: 1,
  problems: [{ code: 'NOT_REGULAR', subject: 'DC1/x', text: 'a symbolic link' }],
  problemCount: 1,
};

function parse(fields: object): DeviceReport {
  return parseReport(Buffer.from(JSON.stringify(fields)));
}

describe('the content of a REPORT', () => {
  it('comes out as it went in', () => {
    fc.assert(
      fc.property(reports, (report) => {
        expect(parseReport(formatReport(report))).toEqual(report);
      }),
    );
  });

  it('is cut to what a receiver takes, whatever the names of files are', () => {
    const text = fc.string({ maxLength: 2000, unit: 'binary' });
    const problem = fc.record({ code: fc.constant('BAD_PATH'), subject: text, text });
    fc.assert(
      fc.property(fc.array(problem, { maxLength: 30 }), text, (problems, directory) => {
        const json = formatReport({ ...REPORT, directory, problems, problemCount: problems.length });
        expect(json.length).toBeLessThanOrEqual(MAX_REPORT_BYTES);
        const parsed = parseReport(json);
        expect(parsed.problemCount).toBe(problems.length);
        expect(parsed.problems.length).toBeLessThanOrEqual(MAX_REPORT_PROBLEMS);
        for (const { subject } of parsed.problems) expect(subject.isWellFormed()).toBe(true);
      }),
    );
  });

  it('may have fields of a newer version', () => {
    expect(parse({ ...REPORT, newer: { any: ['thing'] } })).toEqual(REPORT);
  });

  it.each([
    ['no object', []],
    ['a number that is missing', { ...REPORT, files: undefined }],
    ['a negative number', { ...REPORT, bytes: -1 }],
    ['a broken number', { ...REPORT, sealed: 1.5 }],
    ['a number beyond 2^53', { ...REPORT, files: 2 ** 53 }],
    ['an age that is a text', { ...REPORT, oldestSeconds: '1' }],
    ['a directory that is too long', { ...REPORT, directory: 'x'.repeat(MAX_REPORT_TEXT + 1) }],
    ['problems that are no list', { ...REPORT, problems: {} }],
    ['too many problems', { ...REPORT, problems: Array.from({ length: 11 }, () => REPORT.problems[0]) }],
    ['a problem that is none', { ...REPORT, problems: ['x'] }],
    ['a code that is none', { ...REPORT, problems: [{ code: 'a"} 1', subject: '', text: '' }] }],
    ['a text that is too long', { ...REPORT, problems: [{ code: 'A', subject: '', text: 'x'.repeat(301) }] }],
  ])('is refused with %s', (_what, fields) => {
    expect(() => parse(fields)).toThrow(IsyncError);
    expect(() => parse(fields)).toThrow(/malformed/);
  });

  it('is refused where it is no JSON, or no UTF-8', () => {
    for (const bytes of [Buffer.from('{'), Buffer.of(0x22, 0xff, 0x22)])
      expect(() => parseReport(bytes)).toThrow(/malformed/);
  });
});
