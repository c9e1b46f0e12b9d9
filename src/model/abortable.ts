/** Options of what may run long. When the signal fires, it rejects with the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}
