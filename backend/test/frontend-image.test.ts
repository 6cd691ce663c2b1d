import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Fastify from 'fastify';
import { afterAll, describe, expect, it } from 'vitest';
import { registerSecurityHeaders } from '../src/app/security-headers.ts';

const templates = join(import.meta.dirname, '../../docker/frontend');
const target = mkdtempSync(join(tmpdir(), 'sac-frontend-'));
afterAll(() => rmSync(target, { recursive: true }));

const render = (env: Record<string, string>) => {
  execFileSync('sh', [join(templates, 'render.sh'), templates, target], {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: 'pipe',
  });
  const read = (name: string) => readFileSync(join(target, name), 'utf8');
  return { site: read('nginx.conf'), headers: read('security-headers.conf') };
};

/** What nginx would send; it leaves out a header without a value. */
const headersIn = (config: string): Record<string, string> =>
  Object.fromEntries(
    [...config.matchAll(/^add_header (\S+) (?:"(.*)"|(\S+)) always;$/gm)]
      .map(([, name = '', quoted, plain]) => [name.toLowerCase(), quoted ?? plain ?? ''] as const)
      .filter(([, value]) => value !== ''),
  );

/** Of an answer of api-gateway on one machine, which serves the same files. */
const headersOfGateway = async (origins: string[]): Promise<Record<string, unknown>> => {
  const app = Fastify();
  await registerSecurityHeaders(app, origins);
  app.get('/', async (_request, reply) => reply.code(204).send());
  const { headers } = await app.inject('/');
  const ofEveryAnswer = new Set(['date', 'connection', 'x-request-id', 'content-length']);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofEveryAnswer.has(name)));
};

describe('the configuration of the frontend image', () => {
  it.each([[['https://sac.example.org']], [['https://a.example', 'http://10.0.0.1:8080']]])(
    'has the security headers of the server for %j',
    async (origins) => {
      const { headers } = render({ SAC_PUBLIC_URL: origins.join(', ') });
      const { 'x-request-id': requestId, ...rest } = headersIn(headers);
      expect(rest).toEqual(await headersOfGateway(origins));
      expect(requestId).toBe('$request_id');
    },
  );

  it('routes nothing unless told where to', () => {
    const { site } = render({ SAC_PUBLIC_URL: 'https://sac.example.org' });
    expect(site).not.toMatch(/proxy_pass|set_real_ip|@[A-Z]/);
  });

  it('is the single entrance when told where to', () => {
    const { site } = render({
      SAC_PUBLIC_URL: 'https://sac.example.org',
      SAC_API_UPSTREAM: 'api.sac.svc:8080',
      SAC_WS_UPSTREAM: 'ws.sac.svc:7682',
      SAC_TRUSTED_PROXIES: '10.0.0.0/8,fd00::/8',
    });
    expect(site).toMatch(/location \^~ \/api\/ \{\n\s+proxy_pass http:\/\/api\.sac\.svc:8080;/);
    expect(site).toMatch(/location \^~ \/ws\/ \{\n\s+proxy_pass http:\/\/ws\.sac\.svc:7682;/);
    expect(site).toContain('      proxy_set_header Upgrade $http_upgrade;\n      proxy_buffering off;');
    expect(site).toContain('  set_real_ip_from 10.0.0.0/8;\n  set_real_ip_from fd00::/8;\n  real_ip_header');
  });

  it.each([
    [{}, 'SAC_PUBLIC_URL is missing'],
    [{ SAC_PUBLIC_URL: 'sac.example.org' }, 'must hold http://'],
    [{ SAC_PUBLIC_URL: 'https://a;return 200' }, 'has characters'],
    [{ SAC_PUBLIC_URL: 'https://a', SAC_API_UPSTREAM: 'a:1;}' }, 'SAC_API_UPSTREAM has characters'],
  ])('refuses %j', (env, reason) => {
    expect(() => render(env)).toThrow(reason);
  });
});
