import { Type } from 'typebox';
import { nullable, oneOf, strict } from './primitives.ts';
import { providerProtocols } from './providers.ts';

/** Wire form of `ProviderPreset`. */
export const ProviderPresetSchema = strict({
  id: Type.String(),
  name: Type.String(),
  hint: Type.String(),
  endpoints: Type.Array(
    strict({
      protocol: oneOf(providerProtocols),
      baseUrl: Type.String(),
      source: Type.String(),
      models: strict({
        main: nullable(Type.String()),
        strong: nullable(Type.String()),
        small: nullable(Type.String()),
      }),
    }),
  ),
});
