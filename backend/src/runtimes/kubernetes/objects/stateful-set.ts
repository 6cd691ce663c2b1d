import type { V1PersistentVolumeClaim, V1StatefulSet } from '@kubernetes/client-node';
import { HOME_CLAIM } from '../names.ts';
import { annotationNames, labelNames, lastingLabelsOf, metadataOf, selectorOf, type Identity } from './identity.ts';
import { podSpecOf, type PodParts } from './pod.ts';

const claimOf = (identity: Identity, { settings }: PodParts): V1PersistentVolumeClaim => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name: HOME_CLAIM, labels: lastingLabelsOf(identity) },
  spec: {
    accessModes: ['ReadWriteOnce'],
    ...(settings.storageClass !== '' && { storageClassName: settings.storageClass }),
    resources: { requests: { storage: settings.storageSize } },
    volumeMode: 'Filesystem',
  },
});

/**
 * The sandbox while it is awake. A changed template never ends a pod by itself (`OnDelete`), and the volume outlives
 * everything but the agent.
 */
export const statefulSetOf = (identity: Identity, parts: PodParts): V1StatefulSet => {
  const metadata = metadataOf(identity);
  const annotations = {
    [annotationNames.generation]: String(parts.spec.generation),
    [annotationNames.specHash]: parts.spec.specHash,
  };
  return {
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { ...metadata, annotations },
    spec: {
      replicas: 1,
      serviceName: identity.name,
      podManagementPolicy: 'Parallel',
      revisionHistoryLimit: 1,
      updateStrategy: { type: 'OnDelete' },
      persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
      selector: { matchLabels: selectorOf(identity) },
      template: {
        metadata: { labels: { ...metadata.labels, [labelNames.egress]: parts.settings.egress }, annotations },
        spec: podSpecOf(identity.name, parts),
      },
      volumeClaimTemplates: [claimOf(identity, parts)],
    },
  };
};
