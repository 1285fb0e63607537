import wasmPrecompile from './index.ts';

export default wasmPrecompile.farm;
