/** What documentation and templates have in the place of a secret: everybody knows it. */
const examples = /^(?:change[-_ ]?me(?:[-_ ]too)?|some-long-secret|a-long-secret|your[-_ ]secret|<.*>)$/i;

/** Whether it was copied from an example. */
export function isExampleSecret(secret: string): boolean {
  return examples.test(secret);
}

export const EXAMPLE_SECRET =
  'is an example that everybody knows: take a secret of your own, such as openssl rand -hex 24 makes';
