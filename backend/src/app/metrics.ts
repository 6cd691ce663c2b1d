import type { FastifyInstance } from 'fastify';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  readonly registry: Registry;
  /** A value that is asked for when somebody reads the metrics. */
  gauge(name: string, help: string, read: () => number): void;
  /** Everything, in Prometheus' text format. */
  text(): Promise<string>;
  close(): void;
}

/** `others`: texts of other processes, whose names of metrics are their own; null when one does not answer. */
export const createMetrics = (others: readonly (() => Promise<string | null>)[] = []): Metrics => {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    registry,
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers: [registry],
        collect() {
          this.set(read());
        },
      });
    },
    async text() {
      const texts = await Promise.all([registry.metrics(), ...others.map((read) => read())]);
      return texts.filter((text) => text !== null).join('');
    },
    close: () => registry.clear(),
  };
};

/** Counts and times requests by route pattern, never by address: label values must not be a visitor's choice. */
export const registerMetrics = (app: FastifyInstance, metrics: Metrics): void => {
  const { registry } = metrics;
  const labelNames = ['method', 'route', 'status'] as const;
  const duration = new Histogram({
    name: 'sac_http_request_duration_seconds',
    help: 'Time from request to complete answer',
    labelNames,
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers: [registry],
  });
  const refused = new Counter({
    name: 'sac_http_errors_total',
    help: 'Answers with status 400 and above',
    labelNames,
    registers: [registry],
  });

  app.addHook('onResponse', async (request, reply) => {
    const labels = {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: String(reply.statusCode),
    };
    // A stream lasts as long as its page is open; that says nothing about speed.
    if (request.routeOptions.url !== '/api/events') duration.observe(labels, reply.elapsedTime / 1000);
    if (reply.statusCode >= 400) refused.inc(labels);
  });

  app.get('/metrics', { config: { access: 'loopback-or-admin' }, schema: { hide: true } }, async (_request, reply) =>
    reply.header('content-type', registry.contentType).send(await metrics.text()),
  );
};
