import { describe } from 'vitest';
import { closingSuite } from './store/closing.ts';
import { identitySuite } from './store/identity.ts';
import { damageSuite } from './store/damage.ts';
import { listSuite } from './store/list.ts';
import { notesSuite } from './store/notes.ts';
import { pathSuite } from './store/paths.ts';
import { putSuite } from './store/put.ts';
import { putManySuite } from './store/put-many.ts';
import { type StoreSetup, useSubject } from './store/subject.ts';
import { readSuite } from './store/read.ts';
import { removeSuite } from './store/remove.ts';
import { uploadSuite } from './store/upload.ts';

/** Files put at once: more than one page of a bucket's listing holds. */
const MANY = 1200;

/** The one conformance suite of the Store contract, run for every form of it. */
export function storeSuite(name: string, setup: () => Promise<StoreSetup>, many = MANY): void {
  describe(`${name} keeps the Store contract`, () => {
    const subject = useSubject(setup);
    putSuite(subject, many);
    putManySuite(subject);
    listSuite(subject);
    readSuite(subject);
    removeSuite(subject);
    uploadSuite(subject);
    damageSuite(subject);
    pathSuite(subject);
    closingSuite(subject);
    identitySuite(subject);
    notesSuite(subject);
  });
}
