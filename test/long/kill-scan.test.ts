import { killTest } from '../suites/kill.ts';

killTest(
  ['DC1', 'DC2'],
  [
    { at: 0.05, scan: true, receive: false },
    { at: 0.3, scan: false, receive: true },
    { at: 0.65, scan: true, receive: true },
  ],
);
