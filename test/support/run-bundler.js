/**
 * A build in a separate process (other-bundlers.ts). Bun needs its own runtime. Farm ends the process if a build
 * fails, and does not await the last hooks of plugins.
 */
const [bundler, job = '{}'] = process.argv.slice(2);
const { plugin, options } = JSON.parse(job);
const { default: create } = await import(`unplugin-wasm-precompile/${bundler}`);
const plugins = plugin ? [create(plugin)] : [];
if (bundler === 'farm') {
  const { build } = await import('@farmfe/core');
  await build({ ...options, plugins });
} else {
  try {
    const { Bun } = /** @type {any} */ (globalThis);
    const { logs } = await Bun.build({ ...options, plugins });
    for (const { level, message } of logs) console.error(`${level}: ${message}`);
  } catch (error) {
    // An aggregate error has one error for each failure.
    const { errors = [error] } = /** @type {AggregateError | { errors?: undefined }} */ (error);
    for (const each of errors) console.error(String(each));
    process.exitCode = 1;
  }
}
