import { Type, type Static } from 'typebox';
import { cliNames } from './clis.ts';
import { PodCapabilities } from './pod-settings.ts';
import { nullable, oneOf, strict } from './primitives.ts';
import { ProviderPresetSchema } from './provider-schema.ts';
import { route } from './route.ts';

export const healthStates = ['ok', 'warning', 'failed'] as const;

export const CliInfo = strict({
  name: oneOf(cliNames),
  title: Type.String(),
  /** The exact version this server installs; null for the shell. */
  version: nullable(Type.String()),
  installed: Type.Boolean(),
  /** Limits a person should know before choosing it. */
  note: nullable(Type.String()),
});
export type CliInfo = Static<typeof CliInfo>;

export const systemRoutes = {
  getVersion: route({
    method: 'GET',
    path: '/api/version',
    access: 'public',
    tag: 'System',
    status: 200,
    summary: 'Version of the server',
    response: strict({ version: Type.String() }),
  }),
  /** What the agent editor needs to offer only what works. */
  getCapabilities: route({
    method: 'GET',
    path: '/api/capabilities',
    access: 'user',
    tag: 'System',
    status: 200,
    summary: 'CLIs, provider presets, isolation and limits of this installation, as far as the account may use them',
    response: strict({
      clis: Type.Array(CliInfo),
      presets: Type.Array(ProviderPresetSchema),
      demo: Type.Boolean(),
      runtime: oneOf(['local', 'kubernetes'] as const),
      /** Null where agents do not run in a cluster. */
      pod: nullable(PodCapabilities),
      /** After so many minutes an agent of this account is put to sleep, unless it says otherwise; 0: never. */
      idleMinutes: Type.Integer(),
      /** Record of the terminals of an agent that says nothing else, in MiB; 0: none. */
      recordingMegabytes: Type.Integer(),
      isolation: strict({
        isolated: Type.Boolean(),
        reason: nullable(Type.String()),
        fix: nullable(Type.String()),
        usersMayRun: Type.Boolean(),
      }),
    }),
  }),
  adminHealth: route({
    method: 'GET',
    path: '/api/admin/health',
    access: 'admin',
    tag: 'System',
    status: 200,
    summary: 'Health of each part, with the fix in one sentence',
    response: strict({
      parts: Type.Array(
        strict({
          name: Type.String(),
          state: oneOf(healthStates),
          detail: Type.String(),
          fix: nullable(Type.String()),
        }),
      ),
    }),
  }),
} as const;
export type Capabilities = Static<(typeof systemRoutes)['getCapabilities']['response']>;
