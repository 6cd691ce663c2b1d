import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { routes } from '@sac/contracts';
import { describe, expect, it, vi } from 'vitest';
import { routeSchema } from './route-schema.ts';
import { buildSerializer } from './serialization.ts';
import { validatorCompiler } from './validation.ts';

const definitions = Object.entries(routes);

describe('what a start leaves for the first request', () => {
  it.each(definitions)('%s: what is sent can be checked', (_name, definition) => {
    const { params, querystring, body } = routeSchema(definition);
    for (const [httpPart, schema] of Object.entries({ params, querystring, body })) {
      if (typeof schema !== 'object' || schema === null) continue;
      const check = validatorCompiler({ schema, httpPart, method: definition.method, url: definition.path });
      // Neither an object nor text: no schema of ours takes it, so both checks of a body are made.
      expect(check(Symbol('nothing'))).toHaveProperty('error');
    }
  });

  it.each(definitions)('%s: every answer can be written', (_name, definition) => {
    const compile = SerializerSelector()();
    for (const [httpStatus, schema] of Object.entries(routeSchema(definition).response ?? {}))
      expect(compile({ schema, httpStatus, method: definition.method, url: definition.path })).toBeTypeOf('function');
  });

  it('makes a serializer once, at its first answer', () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const read = vi.fn(() => schema);
    const route = {
      method: 'GET',
      url: '/',
      httpStatus: '200',
      get schema() {
        return read();
      },
    };
    const serialize = buildSerializer()(route);
    expect(read).not.toHaveBeenCalled();
    expect(serialize({ a: 1, b: 2 })).toBe('{"a":1}');
    const reads = read.mock.calls.length;
    expect(serialize({ a: 2 })).toBe('{"a":2}');
    expect(read).toHaveBeenCalledTimes(reads);
  });
});
