/**
 * `npm run playground:web`: builds the page without the plugin and in each delivery, and serves it from a
 * static server. `--compress` enables compression.
 */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { serveFolder } from '../../test/support/static-server.ts';
import { fail } from '../support/arguments.ts';
import { buildPage, WEB_MODES } from './build.ts';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const OUTPUT = fileURLToPath(new URL('dist/', import.meta.url));

try {
  const { compress } = new Command('npm run playground:web --')
    .description('Build the page in each delivery, and serve it.')
    .option('--compress', 'compress responses (brotli)')
    .allowExcessArguments(false)
    .exitOverride()
    .parse()
    .opts<{ compress?: true }>();
  for (const mode of WEB_MODES) {
    console.error(`Building ${mode} …`);
    await buildPage(ROOT, mode, `${OUTPUT}${mode}`, { base: './' });
  }
  const server = await serveFolder(OUTPUT, {
    ...(compress && { compress: 'brotli' as const }),
    headers: { 'cache-control': 'max-age=3600' },
  });
  for (const mode of WEB_MODES) console.log(`${mode.padEnd(8)} ${server.url}${mode}/`);
  console.log('Press Ctrl-C to stop the server.');
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.close();
} catch (error) {
  fail('playground:web', error);
}
