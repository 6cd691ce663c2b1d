import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { declareAccess } from './route-registry.ts';

/** `/api/docs`: the API page, from this server alone and under its content security policy. */
export const registerApiPage = async (
  app: FastifyInstance,
  version: string,
  routes: (scope: FastifyInstance) => void,
): Promise<void> => {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'SAC', version, description: 'Every user their own coding agents.' },
      components: { securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
  });
  routes(app);
  await app.register(async (scope) => {
    declareAccess(scope, 'site');
    await scope.register(swaggerUi, {
      routePrefix: '/api/docs',
      uiConfig: { deepLinking: true, docExpansion: 'list', persistAuthorization: false, validatorUrl: null },
    });
  });
};
