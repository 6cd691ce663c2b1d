import { createServer, type Server } from 'node:http';

const REQUEST_TIMEOUT_MS = 10_000;
/** A few Prometheus servers; everybody else has nothing to do here. */
const MAX_CONNECTIONS = 50;

/** Serves `GET /metrics` to whoever reaches it, and nothing else. Not listening yet. */
export const createMetricsListener = (metricsText: () => Promise<string>): Server => {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end();
      return;
    }
    metricsText().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  return server;
};
