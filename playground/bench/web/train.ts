/** The training program: starts the workload as pages do. */
import { start } from 'web:workload';

const call = await start();
call();
