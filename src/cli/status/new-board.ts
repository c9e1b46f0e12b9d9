import { StatusBoard } from '../../observe/status/status-board.ts';
import { readVersion } from '../version.ts';

/** @param subject as of StatusReport: without secrets */
export function newBoard(command: string, subject: string): StatusBoard {
  return new StatusBoard({ command, subject, version: readVersion() });
}
