export { start } from '../../../app/src/modules/swc.ts';
