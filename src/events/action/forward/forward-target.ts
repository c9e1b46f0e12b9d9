/** What goes on to another queue. */
export interface ForwardedMessage {
  /** Of the record: the same in each try, so that a queue which remembers ids has it once. 64 hexadecimal digits. */
  readonly id: string;
  /** Of the key: a queue that keeps an order keeps it within these. 64 hexadecimal digits. */
  readonly group: string;
  readonly body: string;
}

/** Another queue. */
export interface ForwardTarget extends AsyncDisposable {
  /** The queue, for people. */
  readonly where: string;
  /**
   * Resolves when the queue has it for good. Rejects with an IsyncError, retryable where another try may help; then it may or
   * may not be there. Calls may overlap.
   */
  send(message: ForwardedMessage): Promise<void>;
}
