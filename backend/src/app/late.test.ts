import { SerializerSelector } from '@fastify/fast-json-stringify-compiler';
import { routes } from '@sac/contracts';
import { describe, expect, it, vi } from 'vitest';
import { Late } from './late.ts';
import { routeSchema } from './route-schema.ts';
import { lateSerializers } from './serialization.ts';
import { lateValidators } from './validation.ts';

const definitions = Object.entries(routes);

describe('schemas that a start does not compile', () => {
  it.each(definitions)('%s: what is sent can be checked', (_name, definition) => {
    const compile = lateValidators(new Late());
    const { params, querystring, body } = routeSchema(definition);
    for (const [httpPart, schema] of Object.entries({ params, querystring, body })) {
      if (typeof schema !== 'object' || schema === null) continue;
      const check = compile({ schema, httpPart, method: definition.method, url: definition.path });
      // Neither an object nor text: no schema of ours takes it, so both checks of a body are made.
      expect(check(Symbol('nothing'))).toHaveProperty('error');
    }
  });

  it.each(definitions)('%s: every answer can be written', (_name, definition) => {
    const compile = SerializerSelector()();
    for (const [httpStatus, schema] of Object.entries(routeSchema(definition).response ?? {}))
      expect(compile({ schema, httpStatus, method: definition.method, url: definition.path })).toBeTypeOf('function');
  });

  it('writes what the schema says', () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } } };
    const route = { method: 'GET', url: '/', httpStatus: '200', schema };
    const serialize = lateSerializers(new Late())()(route);
    expect(serialize({ a: 1, b: 2 })).toBe('{"a":1}');
    expect(serialize({ a: 2 })).toBe('{"a":2}');
  });
});

describe('what is made late', () => {
  it('is made once: when it is needed, or when there is time', async () => {
    const late = new Late();
    const [needed, common, rare] = [vi.fn(() => ({})), vi.fn(() => ({})), vi.fn(() => ({}))];
    const get = late.of(needed, { common: true });
    late.of(common, { common: true });
    late.of(rare, { common: false });
    expect(needed).not.toHaveBeenCalled();
    expect(get()).toBe(get());
    await late.makeAll();
    expect([needed, common, rare].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
  });

  it('tells whoever needs it that it cannot be made, and makes the rest', async () => {
    const late = new Late();
    const rest = vi.fn(() => ({}));
    const get = late.of(
      () => {
        throw new Error('not a schema');
      },
      { common: true },
    );
    late.of(rest, { common: true });
    await late.makeAll();
    expect(rest).toHaveBeenCalledOnce();
    expect(get).toThrow('not a schema');
  });

  it('is not made any more when the server ends', async () => {
    const late = new Late();
    const make = vi.fn(() => ({}));
    late.of(make, { common: true });
    const making = late.makeAll();
    late.end();
    await making;
    expect(make).not.toHaveBeenCalled();
  });
});
