import {
  SerializerSelector,
  type SerializerCompiler,
  type SerializerFactory,
} from '@fastify/fast-json-stringify-compiler';

/** Fastify's own serializers, each made for the first answer that needs it: most routes have five answers that are never given. */
export const buildSerializer: SerializerFactory = (schemas, options): SerializerCompiler => {
  const compile = SerializerSelector()(schemas, options);
  return (route) => {
    let serialize: ReturnType<SerializerCompiler> | null = null;
    return (data) => {
      serialize ??= compile(route);
      return serialize(data);
    };
  };
};
