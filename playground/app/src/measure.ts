/** `node measure.js <module> [warm]`: starts one module in this process and prints a `Sample` as JSON. */
import { isModuleName, MODULES } from './modules/index.ts';
import { measureStartup } from './sample.ts';

const name = process.argv[2];
if (!isModuleName(name)) {
  throw new Error(`Expected one of ${Object.keys(MODULES).join(', ')}; found ${name ?? 'nothing'}`);
}
const { start } = await MODULES[name]();
await measureStartup(start, import.meta.url);
