import { TERMINAL_PORT } from '@sac/contracts';
import type { V1Service } from '@kubernetes/client-node';
import { metadataOf, selectorOf, type Identity } from './identity.ts';

/** Gives the pod its name in the cluster's DNS, once it is ready. */
export const serviceOf = (identity: Identity): V1Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: metadataOf(identity),
  spec: {
    clusterIP: 'None',
    publishNotReadyAddresses: false,
    selector: selectorOf(identity),
    ports: [{ name: 'terminal', port: TERMINAL_PORT, targetPort: 'terminal', protocol: 'TCP' }],
  },
});
