import type { AgentFailure } from '@sac/contracts';
import { ClusterError } from './cluster-error.ts';

const MAX_CHARACTERS = 600;
const short = (text: string): string => text.trim().slice(0, MAX_CHARACTERS);

export const failure = (code: string, reason: string, fix: string, output: string | null = null): AgentFailure => ({
  code,
  reason: short(reason),
  fix,
  output,
});

const FOREIGN_FIX = 'An administrator looks at what it is and deletes or renames it; then start the agent again.';

const foreignVolumeFix = (labelling: string | null): string =>
  (labelling === null ? 'An administrator hands' : `An administrator runs: ${labelling} – then hands`) +
  ' it to this agent, or deletes it with all files on it (Admin › Volumes); then start the agent again.';

interface Owner {
  readonly agentUid: string | null;
  readonly installId: string | null;
}

/**
 * An object with the name of ours belongs to somebody else. `labelling` is the command without which Admin › Volumes
 * does not list a volume claim.
 */
export class ForeignObjectError extends Error {
  readonly failure: AgentFailure;

  constructor(kind: string, place: string, owner: Owner, labelling: string | null = null) {
    const whose =
      owner.agentUid === null
        ? 'was not made by this product'
        : `belongs to agent ${owner.agentUid} of the installation ${owner.installId ?? '(none)'}`;
    super(`The ${kind} ${place} ${whose}.`);
    this.name = 'ForeignObjectError';
    const isVolume = kind === 'volume claim';
    this.failure = failure(
      isVolume ? 'foreign_volume' : 'foreign_object',
      `${this.message} It is not touched.`,
      isVolume ? foreignVolumeFix(labelling) : FOREIGN_FIX,
    );
  }
}

/** `place`: of a pod that a set cannot make its own beside. */
export const foreignPod = (place: string): AgentFailure =>
  failure(
    'foreign_object',
    `A pod ${place} that is not this agent's has the name of its pod. It is not touched.`,
    FOREIGN_FIX,
  );

/** A newer start of the same agent is there already, made by another server: this one gives way. */
export class SupersededError extends Error {
  constructor(wanted: number, there: number) {
    super(`start ${wanted} of the agent is replaced by start ${there}`);
    this.name = 'SupersededError';
  }
}

const verbs: Readonly<Record<string, string>> = { GET: 'read', PATCH: 'create or change', DELETE: 'delete' };

const notAllowed = (error: ClusterError): AgentFailure => {
  // `pods "x" is forbidden: User "system:serviceaccount:a:b" cannot list resource "pods" in API group "" in the namespace "c"`
  const [, user, verb, resource, namespace] =
    /User "([^"]+)" cannot ([a-z]+) resource "([^"]+)".*?(?:in the namespace "([^"]+)")/.exec(error.message) ?? [];
  const what =
    verb === undefined ? `${verbs[error.request.method] ?? 'use'} ${error.request.path}` : `${verb} ${resource}`;
  const where = namespace === undefined ? '' : ` in the namespace ${namespace}`;
  return failure(
    'cluster_permission_missing',
    `The server may not ${what}${where}${user === undefined ? '' : ` (as ${user})`}.`,
    'An administrator gives its account this right, as the Role of the chart does, then starts the agent again.',
    short(error.message),
  );
};

const forbidden = (error: ClusterError): AgentFailure => {
  const { message } = error;
  if (/exceeded quota/i.test(message)) return quotaExceeded(message);
  if (/violates PodSecurity/i.test(message)) return podSecurity(message);
  if (/ cannot [a-z]+ resource /.test(message)) return notAllowed(error);
  return failure(
    'cluster_refused',
    `The cluster refused the sandbox: ${message}`,
    'An administrator changes the settings or the rule of the cluster that this names.',
  );
};

export const quotaExceeded = (message: string): AgentFailure => {
  const [, detail] = /exceeded quota: (.+)$/s.exec(message) ?? [];
  return failure(
    'quota_exceeded',
    `The quota of the namespace is used up${detail === undefined ? '' : `: ${detail}`}.`,
    'Put other agents to sleep, give this one less, or ask an administrator to raise the quota.',
  );
};

export const podSecurity = (message: string): AgentFailure =>
  failure(
    'pod_security',
    `The namespace does not take this pod: ${message.replace(/^.*violates PodSecurity/s, 'it violates Pod Security')}`,
    'An administrator brings the settings of sandboxes and the Pod Security level of the namespace together.',
  );

/** What a person is told about a request that the API server will not carry out, however often it is asked. */
export const failureOfError = (error: unknown): AgentFailure => {
  if (error instanceof ForeignObjectError) return error.failure;
  if (!(error instanceof ClusterError)) {
    const reason = error instanceof Error ? error.message : String(error);
    return failure('sandbox_start_failed', reason, 'Start the agent again; the log of the server says more.');
  }
  if (error.status === 403) return forbidden(error);
  if (error.status === 401)
    return failure(
      'cluster_permission_missing',
      'The cluster does not accept the credentials of the server.',
      'An administrator renews the service account or the kubeconfig of the server.',
    );
  const [, namespace] = /namespaces "([^"]+)" not found/.exec(error.message) ?? [];
  if (namespace !== undefined)
    return failure(
      'namespace_missing',
      `The namespace ${namespace} for sandboxes does not exist.`,
      'An administrator creates it, as the chart does, then starts the agent again.',
    );
  return failure(
    'cluster_refused',
    `The cluster refused the sandbox: ${error.message}`,
    'Correct the settings that this names, then start the agent again.',
  );
};
