import { describe } from 'vitest';
import { deadSuite } from './event-queue/dead.ts';
import { deliverySuite } from './event-queue/delivery.ts';
import { publishSuite } from './event-queue/publish.ts';
import { processSuite } from './event-queue/processes.ts';
import { type QueueSetup, useQueue } from './event-queue/subject.ts';

/** The one conformance suite of the EventQueue contract, run for every form of it. */
export function eventQueueSuite(name: string, setup: () => Promise<QueueSetup>): void {
  describe(`${name} keeps the EventQueue contract`, () => {
    const subject = useQueue(setup);
    publishSuite(subject);
    deliverySuite(subject);
    deadSuite(subject);
    processSuite(subject);
  });
}
