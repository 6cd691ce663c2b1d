/**
 * Proves the chart, the runtime and an installation in a real cluster, from the images to the removal, and ends with the totals,
 * alone on the last line.
 *
 * node scripts/test-cluster.ts all|chart|runtime|installation [arguments for the runner]
 *
 * The cluster is that of KUBECONFIG. Without one, and with a kit that makes clusters (SAC_CLUSTER_KIT, or ../shared/cluster beside the
 * repository), the kit's is started. Images are built and loaded with the kit; for any other cluster they have to be where it can
 * pull them: SAC_TEST_REGISTRY=registry.example.org/sac SAC_TEST_TAG=1.2.3. SAC_TEST_VALUES_FILE names a file with values that this cluster needs.
 */
import { allClusterSuites, runClusterSuites } from './cluster-suites.ts';
import { runAndReport } from './runners.ts';

const [what = 'all', ...args] = process.argv.slice(2);
const wanted = allClusterSuites.filter((name) => what === 'all' || what === name);
if (wanted.length === 0) throw new Error(`There is no suite ${what}: all, ${allClusterSuites.join(', ')}.`);
await runAndReport([() => runClusterSuites(wanted, args)]);
