/** The parser's marker: this directory gets no more files. Transferred, as the directory's last file. */
export const PARSE_MARKER = 'finished.parse';
/** Our marker: every file of this directory is durable at the target. Never transferred. */
export const WATCH_MARKER = 'finished.watch';
