import type {
  ConnectionTest,
  ModelProvider,
  ProxySettings,
  RouteDefinition,
  agentRoutes,
  BodyOf,
} from '@sac/contracts';
import type { AuthenticatedUser } from '../../lib/handlers.ts';
import { createRateLimiter } from '../../lib/rate-limiter.ts';
import { validateProvider, validateProxy } from '../agents/validation.ts';
import { createAddressCheck, type OutboundRules } from './address-rules.ts';
import { explainFailure } from './explain.ts';
import { probe, type ProbeTarget } from './probe.ts';

type Body = BodyOf<(typeof agentRoutes)['testConnection'] & RouteDefinition>;

type Tester = Pick<AuthenticatedUser, 'id' | 'role'>;

export interface ConnectionTester {
  /** Never throws for anything the provider does: what is wrong is the answer. */
  test(user: Tester, body: Body, signal: AbortSignal): Promise<ConnectionTest>;
}

export interface ConnectionTesterDeps {
  readonly demo: { readonly modelUrl: string } | null;
  /** The stored token of an own agent; null when it has none. Throws not_found for a foreign agent. */
  readonly storedToken: (user: Pick<AuthenticatedUser, 'id'>, agentId: string) => Promise<string | null>;
  /**
   * Throws for whoever may not run agents: the test goes from the server into its network, where an agent could go as
   * well, and nobody else.
   */
  readonly assertMayRun: (user: Tester) => void;
  readonly outbound: OutboundRules;
  readonly deadlineMs?: number;
}

const DEADLINE_MS = 10_000;
const noProxy: ProxySettings = { httpProxy: null, httpsProxy: null, noProxy: null };
const TESTS_PER_MINUTE = 20;
const MINUTE_MS = 60_000;

const configuredModels = ({ models }: ModelProvider): string[] => [
  ...new Set([models.main, models.strong, models.small].filter((name): name is string => name !== null)),
];

export const createConnectionTester = (deps: ConnectionTesterDeps): ConnectionTester => {
  const check = createAddressCheck(deps.outbound);
  const limiter = createRateLimiter({ limit: TESTS_PER_MINUTE, windowMs: MINUTE_MS });

  const targetOf = async (user: Pick<AuthenticatedUser, 'id'>, body: Body): Promise<ProbeTarget> => {
    const demo = body.provider.preset === 'demo' ? deps.demo : null;
    const given =
      body.providerToken ?? (body.agentId === undefined ? null : await deps.storedToken(user, body.agentId));
    return {
      protocol: body.provider.protocol,
      baseUrl: demo?.modelUrl ?? body.provider.baseUrl,
      token: demo ? 'demo' : given,
      models: configuredModels(body.provider),
      proxy: body.proxy ?? noProxy,
      check,
    };
  };

  const test: ConnectionTester['test'] = async (user, body, signal) => {
    limiter.take(user.id);
    deps.assertMayRun(user);
    validateProvider(body.provider, body.cli, { demo: deps.demo !== null });
    if (body.proxy !== undefined) validateProxy(body.proxy);
    const target = await targetOf(user, body);
    const startedAt = performance.now();
    const deadlineMs = deps.deadlineMs ?? DEADLINE_MS;
    const durationMs = (): number => Math.round(performance.now() - startedAt);
    try {
      const result = await probe(target, AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]));
      return { ...result, durationMs: durationMs() };
    } catch (error) {
      return {
        ok: false,
        durationMs: durationMs(),
        message: explainFailure(error, target, deadlineMs),
        unknownModels: [],
      };
    }
  };

  return { test };
};
