import adapter from '@sveltejs/adapter-node';
import { sveltekit } from '@sveltejs/kit/vite';
import wasmPrecompile from 'unplugin-wasm-precompile/vite';

export default { plugins: [wasmPrecompile(), sveltekit({ adapter: adapter() })] };
