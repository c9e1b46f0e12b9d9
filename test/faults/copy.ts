/** What a target holds of a device, seen past isync, as by somebody who looks into the folder or the bucket. */
export interface Copy extends Disposable {
  /** Every file, about as it is now. */
  list(): AsyncIterable<Kept>;
  /**
   * What is there now, and not before the call, under each of `paths`; undefined where nobody can look: the folder is away,
   * or not to be read for a while.
   */
  tagsOf(paths: readonly string[]): Promise<ReadonlyMap<string, string> | undefined>;
  /** Undefined where there is none, or where nobody can read it for a while. */
  read(path: string): Promise<Content | undefined>;
  /** What lies in the store outside of the device's files, and is not the store's own. */
  strangers(): Promise<string[]>;
}

export interface Kept {
  readonly path: string;
  /** Another one for each content that the path ever has. */
  readonly tag: string;
}

export interface Content {
  readonly bytes: Buffer;
  readonly tag: string;
  /** In ms since the epoch. */
  readonly mtimeMs: number;
  /** Of a file in a folder. */
  readonly mode?: number;
}
