/** A start, as pages have it: it is recorded. */
import { start } from 'web:workload';

const call = await start();
call();
