import { decodeManifest } from '../../src/backup/manifest/manifest-codec.ts';
import { openFolderTarget } from '../../src/backup/target/folder/folder-target.ts';
import { restore } from '../../src/backup/restore/restore.ts';
import { RecordingLog } from '../recording-log.ts';

/** Restores a backup of a folder target, to be killed meanwhile: STORE NAME TO, each time with --replace and --resume. */
const [store = '', name = '', to = ''] = process.argv.slice(2);
await using target = openFolderTarget({ path: store, job: 'app' });
const ranges = await target.read(`${name}.manifest`);
const pieces: Uint8Array[] = [];
if (ranges !== undefined) for await (const piece of ranges.read(0, ranges.size)) pieces.push(piece);
const manifest = decodeManifest(Buffer.concat(pieces), name);
const context = { target, decryption: undefined, log: new RecordingLog() };
process.stdout.write('begun\n');
const { tally } = await restore({ context, manifest, to, globs: [], isReplace: true, isResume: true });
process.stdout.write(`${JSON.stringify({ problems: tally.problems, resumed: tally.resumed })}\n`);
