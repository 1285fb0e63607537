/** `node measure.js [warm]`: starts the workload that this was built with and prints a `Sample` as JSON. */
import { start } from 'bench:workload';
import { measureStart } from '../../app/src/sample.ts';

await measureStart(start, import.meta.url);
