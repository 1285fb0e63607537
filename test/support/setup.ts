/** What the tests need beyond npm packages; run before them by `npm test`. */
import { ensureChromium } from './chromium.ts';
import { ensureNode, NODE_VERSIONS, UNKNOWN_NODE } from './nodes.ts';

try {
  for (const version of [...NODE_VERSIONS, UNKNOWN_NODE] as const) {
    console.log(`Node ${version}: ${await ensureNode(version)}`);
  }
  await ensureChromium(console.log);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
