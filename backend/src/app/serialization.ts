import {
  SerializerSelector,
  type RouteDefinition,
  type SerializerCompiler,
  type SerializerFactory,
} from '@fastify/fast-json-stringify-compiler';
import type { Late } from './late.ts';

const isSuccess = ({ httpStatus }: RouteDefinition): boolean => httpStatus.startsWith('2');

/** Fastify's own serializers, made late: most routes have five answers that are hardly ever given. */
export const lateSerializers =
  (late: Late): SerializerFactory =>
  (schemas, options): SerializerCompiler => {
    const compile = SerializerSelector()(schemas, options);
    return (route) => {
      const serializer = late.of(() => compile(route), { common: isSuccess(route) });
      return (data) => serializer()(data);
    };
  };
