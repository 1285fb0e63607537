/** `node measure.js [warm]`: starts the workload of this build and prints a `Sample` as JSON. */
import { start } from 'bench:workload';
import { measureStartup } from '../../app/src/sample.ts';

await measureStartup(start, import.meta.url);
