import { eventQueueSuite } from '../suites/event-queue.ts';
import { embeddedSetup } from './queue-embedded-setup.ts';

eventQueueSuite('the embedded queue', embeddedSetup);
