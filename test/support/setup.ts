/** `npm run setup`: installs what the build and the tests need beyond npm packages. `npm test` runs it first. */
import { ensureNode, NODE_VERSIONS, UNKNOWN_NODE } from './nodes.ts';
import { ensureTools, IS_ROOT } from './tools.ts';

try {
  await ensureTools(console.log);
  if (!IS_ROOT) {
    console.log(
      'Skipped: tests with several users and mounts (in test/native/mapping.test.ts and output.test.ts), which need root.',
    );
  }
  for (const version of [...NODE_VERSIONS, UNKNOWN_NODE] as const) {
    console.log(`Node ${version}: ${await ensureNode(version)}`);
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
