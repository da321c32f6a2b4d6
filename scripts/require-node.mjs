// Imported for what it does, as the first import of a script: with an older Node.js it says so and ends the process, before
// anything is installed. What is imported after it must load in older versions too, since all imports are resolved before any runs.
import { readFileSync } from 'node:fs';

const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
const numbers = (version) => /(\d+)\.(\d+)/.exec(version).slice(1).map(Number);
const [needed, given] = [numbers(engines.node), numbers(process.versions.node)];

if (given[0] < needed[0] || (given[0] === needed[0] && given[1] < needed[1])) {
  process.stderr.write(
    `Holdfast needs Node.js ${needed.join('.')} or newer; this is v${process.versions.node}\n`,
  );
  process.exit(1);
}
