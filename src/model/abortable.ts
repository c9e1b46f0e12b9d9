/** Whatever may run long takes one of these; when the signal fires it rejects with the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}
