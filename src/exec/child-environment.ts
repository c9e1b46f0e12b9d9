/** Settings and secrets of ours, the keys to the bucket among them: a command that needs some is given them by other means. */
const OURS = /^(?:AWS_|ISYNC_|CREDENTIALS_DIRECTORY$)/;

/** What a command gets of our environment. */
export function childEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !OURS.test(name)));
}
