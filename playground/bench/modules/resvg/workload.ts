export { start } from '../../../app/src/modules/resvg.ts';
