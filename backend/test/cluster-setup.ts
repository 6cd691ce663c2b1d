import { KubeConfig } from '@kubernetes/client-node';
import { ClusterClient } from '../src/runtimes/kubernetes/cluster-client.ts';

/** A suite that finds no cluster fails: skipped, it would say that everything works. */
export default async (): Promise<void> => {
  if ((process.env['KUBECONFIG'] ?? '') === '')
    throw new Error('KUBECONFIG is not set: these tests need a cluster in which they may make namespaces.');
  const kubeConfig = new KubeConfig();
  kubeConfig.loadFromDefault();
  const client = new ClusterClient(kubeConfig);
  try {
    await client.call({ method: 'GET', path: '/version' });
  } catch (error) {
    throw new Error('The cluster that KUBECONFIG names does not answer.', { cause: error });
  } finally {
    await client.close();
  }
};
