/** Whose a file is, as the file system has it. */
export interface OwnerIds {
  readonly uid: number;
  readonly gid: number;
}
