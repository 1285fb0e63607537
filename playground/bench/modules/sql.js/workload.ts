export { start } from '../../../app/src/modules/sql.ts';
