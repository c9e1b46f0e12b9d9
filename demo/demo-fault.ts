/** Ends the demo with a sentence for the user instead of a stack trace. */
export class DemoFault extends Error {}
