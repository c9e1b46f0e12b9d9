import type { Header } from 'tar-stream';
import type { FileRecord } from '../list/file-record.ts';
import { nameText, pathBytes } from '../list/escaped-name.ts';

export type MemberHeader = Partial<Header> & Pick<Header, 'name'>;

/** Largest id of a user or group that the six octal digits of a header hold. */
const MAX_OCTAL_ID = 0o777777;
/** Seconds since the epoch that the library writes whole: it cuts them to 32 bits. */
const MAX_SECONDS = 2n ** 31n - 1n;
/** Bytes of the name of an owner in a header, the NUL at its end not counted. */
const MAX_OWNER_BYTES = 31;
const NS = 1_000_000_000n;
/** Any file type: tar-stream takes a mode of 0 for none, and writes permission bits alone. */
const SOME_TYPE = 0o100000;

/**
 * How a record stands in a tar. What a header of 1988 can't hold, stands in pax records: `mtime`, `uid`, `gid`, `uname`, `gname`. A name or a
 * target that is not UTF-8 is there escaped, and its bytes, in base64, as `ISYNC.path` and `ISYNC.linkpath`.
 */
export function memberHeader(record: FileRecord, isLink: boolean): MemberHeader {
  const { path, uid, gid, user, group, mtimeNs } = record;
  const pax: Record<string, string> = {};
  const header: MemberHeader = {
    name: record.type === 'directory' ? `${path}/` : path,
    mode: record.mode | SOME_TYPE,
    uid,
    gid,
    // A real time of 1970 would count as none.
    mtime: new Date(Number(wholeSeconds(mtimeNs)) * 1000),
    size: 0,
  };
  const bytes = pathBytes(path);
  if (!bytes.equals(Buffer.from(path))) pax['ISYNC.path'] = bytes.toString('base64');
  if (wholeSeconds(mtimeNs) * NS !== mtimeNs) pax['mtime'] = decimalSeconds(mtimeNs);
  if (uid > MAX_OCTAL_ID) pax['uid'] = String(uid);
  if (gid > MAX_OCTAL_ID) pax['gid'] = String(gid);
  if (user !== undefined) {
    if (fitsHeader(user)) header.uname = user;
    else pax['uname'] = user;
  }
  if (group !== undefined) {
    if (fitsHeader(group)) header.gname = group;
    else pax['gname'] = group;
  }
  switch (record.type) {
    case 'directory':
      header.type = 'directory';
      break;
    case 'symlink': {
      const target = Buffer.from(record.target);
      header.type = 'symlink';
      header.linkname = nameText(target);
      if (!target.equals(Buffer.from(header.linkname))) pax['ISYNC.linkpath'] = target.toString('base64');
      break;
    }
    case 'file':
      if (isLink && record.linkTo !== undefined) {
        header.type = 'link';
        header.linkname = record.linkTo;
      } else {
        header.type = 'file';
        header.size = record.size;
      }
  }
  if (Object.keys(pax).length > 0) header.pax = pax;
  return header;
}

/** What the header itself can hold of a time; the rest is in pax. */
function wholeSeconds(ns: bigint): bigint {
  if (ns < 0n) return 0n;
  const seconds = ns / NS;
  return seconds > MAX_SECONDS ? MAX_SECONDS : seconds;
}

function decimalSeconds(ns: bigint): string {
  const absolute = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${absolute / NS}.${String(absolute % NS).padStart(9, '0')}`;
}

function fitsHeader(owner: string): boolean {
  return /^[\x21-\x7e]+$/.test(owner) && owner.length <= MAX_OWNER_BYTES;
}
