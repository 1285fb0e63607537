/**
 * A build in a process of its own (other-bundlers.ts): with Bun, whose runtime bundles and runs this, or with Farm, which ends the process
 * where a build fails, and does not wait for what plugins do at the end.
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
    // One for each that went wrong.
    const { errors = [error] } = /** @type {AggregateError | { errors?: undefined }} */ (error);
    for (const each of errors) console.error(String(each));
    process.exitCode = 1;
  }
}
