import {
  routes,
  type BodyOf,
  type CreateAgentBody,
  type ParamsOf,
  type QueryOf,
  type ResponseOf,
  type RouteName,
  type Routes,
  type SignedIn,
} from '@sac/contracts';

type Input<R extends Routes[RouteName]> = (ParamsOf<R> extends undefined ? unknown : { params: ParamsOf<R> }) &
  (QueryOf<R> extends undefined ? unknown : { query?: QueryOf<R> }) &
  (BodyOf<R> extends undefined ? unknown : { body: BodyOf<R> });

/** A client of the HTTP API as a tool would write it: typed by the contracts, one account. */
export interface ApiUser {
  readonly signedIn: SignedIn;
  call<N extends RouteName>(name: N, input: Input<Routes[N]>): Promise<ResponseOf<Routes[N]>>;
  /** Signs in anew now, unless that was less than five minutes ago, rather than during what comes next. */
  renew(): Promise<void>;
}

const PASSWORD = 'correct horse battery';

async function callRoute<N extends RouteName>(
  origin: string,
  name: N,
  { input, accessToken }: { input: Input<Routes[N]>; accessToken?: string },
): Promise<ResponseOf<Routes[N]>> {
  const route = routes[name];
  const { params, query, body } = input as {
    params?: Record<string, string>;
    query?: Record<string, string>;
    body?: unknown;
  };
  const pathname = route.path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(params?.[key] ?? ''));
  const response = await fetch(`${origin}${pathname}?${new URLSearchParams(query).toString()}`, {
    method: route.method,
    headers: {
      origin,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(accessToken === undefined ? {} : { authorization: `Bearer ${accessToken}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${name} answered ${response.status}: ${text}`);
  return (text === '' ? undefined : JSON.parse(text)) as ResponseOf<Routes[N]>;
}

/** Makes an admin with a link that `sac` printed. */
export async function redeemAdminLink(link: string, username: string): Promise<ApiUser> {
  const { origin, hash } = new URL(link);
  const body = { secret: hash.slice(1), username, displayName: username, password: PASSWORD };
  return userOf(origin, await callRoute(origin, 'redeemAdminLink', { input: { body } }));
}

/** Makes an account with the secret of an invite. */
export async function redeemInvite(origin: string, secret: string, username: string): Promise<ApiUser> {
  const body = { invite: secret, username, displayName: username, password: PASSWORD };
  return userOf(origin, await callRoute(origin, 'register', { input: { body } }));
}

/** An access token lasts 15 minutes; long measurements sign in again before that, and sooner where they say when. */
const SIGN_IN_AFTER_MS = 10 * 60_000;
const RENEW_AFTER_MS = 5 * 60_000;

const userOf = (origin: string, signedIn: SignedIn): ApiUser => {
  let current = Promise.resolve(signedIn);
  let sinceMs = performance.now();
  const newerThan = (ms: number): Promise<SignedIn> => {
    if (performance.now() - sinceMs > ms) {
      sinceMs = performance.now();
      const body = { login: signedIn.user.username, password: PASSWORD };
      current = callRoute(origin, 'signIn', { input: { body } });
    }
    return current;
  };
  return {
    signedIn,
    call: async (name, input) =>
      callRoute(origin, name, { input, accessToken: (await newerThan(SIGN_IN_AFTER_MS)).accessToken }),
    renew: async () => void (await newerThan(RENEW_AFTER_MS)),
  };
};

export const password = PASSWORD;

/** An agent on the scripted model of a DEMO installation. */
export async function demoAgent(
  user: ApiUser,
  overrides: Partial<CreateAgentBody> & { name: string },
): Promise<CreateAgentBody> {
  const { presets } = await user.call('getCapabilities', {});
  const endpoint = presets.find((preset) => preset.id === 'demo')?.endpoints[0];
  if (endpoint === undefined) throw new Error('this installation has no demo model');
  return {
    icon: 'terminal',
    description: '',
    instructions: '',
    cli: 'claude-code',
    permissionMode: 'default',
    provider: { preset: 'demo', protocol: endpoint.protocol, baseUrl: endpoint.baseUrl, models: endpoint.models },
    proxy: { httpProxy: null, httpsProxy: null, noProxy: null },
    environment: [],
    ...overrides,
  };
}
