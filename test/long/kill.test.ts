import { killTest } from '../suites/kill.ts';

killTest(
  ['DC1', 'DC2', 'DC3', 'DC4'],
  [
    { at: 0.02, scan: true, receive: false },
    { at: 0.15, scan: false, receive: true },
    { at: 0.35, scan: true, receive: true },
    { at: 0.55, scan: false, receive: true },
    { at: 0.7, scan: true, receive: false },
    { at: 0.9, scan: true, receive: true },
  ],
);
