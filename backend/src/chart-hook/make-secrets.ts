import { randomBytes, randomUUID } from 'node:crypto';
import { ApiException, type CoreV1Api, type V1Secret } from '@kubernetes/client-node';

export interface SecretWish {
  readonly name: string;
  /** Makes all values; of a Secret that is there already only those that are missing are taken. */
  readonly make: () => Readonly<Record<string, string>>;
}

const key = (): string => randomBytes(48).toString('base64url');

/** What docs/configure-cluster.md asks for. */
export const keysWish = (name: string): SecretWish => ({
  name,
  make: () => ({
    'master-key': key(),
    'access-token-keys': `1:${key()}`,
    'terminal-ticket-keys': `1:${key()}`,
    'ws-proxy-credential': key(),
    'install-id': randomUUID(),
  }),
});

/** Of the trial database, whose Service and Secret have the same name. */
export const postgresWish = (name: string, namespace: string): SecretWish => ({
  name,
  make: () => {
    const password = randomBytes(24).toString('base64url');
    return { password, url: `postgres://sac:${password}@${name}.${namespace}.svc:5432/sac` };
  },
});

/** Of the trial object store. */
export const minioWish = (name: string): SecretWish => ({
  name,
  make: () => ({ 'access-key': randomBytes(10).toString('hex'), 'secret-key': randomBytes(30).toString('base64url') }),
});

export const statusOf = (error: unknown): number | null => (error instanceof ApiException ? error.code : null);

/** Values of these have to fit together, so a Secret that has one of them and lacks another is not completed. */
const isHalf = (wish: Readonly<Record<string, string>>, found: Readonly<Record<string, string>>): boolean =>
  'password' in wish && 'password' in found !== 'url' in found;

const complete = async (api: CoreV1Api, namespace: string, wish: SecretWish): Promise<string> => {
  const found = (await api.readNamespacedSecret({ name: wish.name, namespace })).data ?? {};
  const values = wish.make();
  if (isHalf(values, found)) {
    throw new Error(`Secret ${wish.name} holds a password or a url without the other. Complete it, or delete it.`);
  }
  const missing = Object.entries(values).filter(([name]) => !Object.hasOwn(found, name));
  if (missing.length === 0) return `Secret ${wish.name} is there.`;
  const data = Object.fromEntries(missing.map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
  const body = [{ op: 'add', path: '/data', value: { ...found, ...data } }];
  await api.patchNamespacedSecret({ name: wish.name, namespace, body });
  return `Secret ${wish.name} got ${missing.map(([name]) => name).join(', ')}.`;
};

/** Makes what is not there, and never changes a value that is. Answers with one sentence for each Secret. */
export const makeSecrets = async (
  api: CoreV1Api,
  { namespace, instance }: { readonly namespace: string; readonly instance: string },
  wishes: readonly SecretWish[],
): Promise<string[]> => {
  const sentences: string[] = [];
  for (const wish of wishes) {
    const body: V1Secret = {
      metadata: {
        name: wish.name,
        labels: { 'app.kubernetes.io/name': 'sac', 'app.kubernetes.io/instance': instance },
      },
      type: 'Opaque',
      stringData: { ...wish.make() },
    };
    try {
      await api.createNamespacedSecret({ namespace, body });
      sentences.push(`Secret ${wish.name} was made.`);
    } catch (error) {
      if (statusOf(error) !== 409) throw error;
      sentences.push(await complete(api, namespace, wish));
    }
  }
  return sentences;
};
