import { Type, type Static } from 'typebox';
import { Email, registrationModes, roles, User, userStatuses } from './auth.ts';
import { IdleMinutes } from './agents.ts';
import { PodLimits, PodValues } from './pod-settings.ts';
import { Id, nullable, oneOf, strict, Timestamp } from './primitives.ts';
import { route } from './route.ts';

export const Invite = strict({
  id: Id,
  email: nullable(Type.String()),
  role: oneOf(roles),
  invitedBy: Type.String(),
  createdAt: Timestamp,
  expiresAt: Timestamp,
});
export type Invite = Static<typeof Invite>;

const tag = 'Users';
const userParams = strict({ userId: Id });

export const userRoutes = {
  listUsers: route({
    method: 'GET',
    path: '/api/admin/users',
    access: 'admin',
    tag,
    status: 200,
    summary: 'Accounts, page by page',
    query: strict({
      search: Type.Optional(Type.String({ maxLength: 80 })),
      /** Opaque; from `nextCursor` of the page before. */
      cursor: Type.Optional(Type.String({ maxLength: 200 })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 50 })),
    }),
    response: strict({
      users: Type.Array(strict({ ...User.properties, agentCount: Type.Integer() })),
      nextCursor: nullable(Type.String()),
      total: Type.Integer(),
    }),
  }),
  updateUser: route({
    method: 'PATCH',
    path: '/api/admin/users/:userId',
    access: 'admin',
    tag,
    status: 200,
    summary: 'Disable or enable an account, change its role; its sessions end at once when it is disabled or demoted',
    params: userParams,
    body: strict({ status: Type.Optional(oneOf(userStatuses)), role: Type.Optional(oneOf(roles)) }),
    response: User,
    errors: ['not_found', 'last_admin'],
  }),
  listInvites: route({
    method: 'GET',
    path: '/api/admin/invites',
    access: 'admin',
    tag,
    status: 200,
    summary: 'Invites that can still be used',
    response: strict({ invites: Type.Array(Invite) }),
  }),
  createInvite: route({
    method: 'POST',
    path: '/api/admin/invites',
    access: 'admin',
    tag,
    status: 201,
    summary: 'Create a single-use invite; its secret is shown this once',
    body: strict({
      email: Type.Optional(Email),
      role: oneOf(roles),
      expiresInHours: Type.Integer({ minimum: 1, maximum: 720 }),
    }),
    /** The browser builds the link: `<origin>/join#<secret>`. */
    response: strict({ invite: Invite, secret: Type.String() }),
    errors: ['limit_reached'],
  }),
  deleteInvite: route({
    method: 'DELETE',
    path: '/api/admin/invites/:inviteId',
    access: 'admin',
    tag,
    status: 204,
    summary: 'Withdraw an invite',
    params: strict({ inviteId: Id }),
    errors: ['not_found'],
  }),
} as const;

export const SystemSettings = strict({
  registration: oneOf(registrationModes),
  agentsPerUser: Type.Integer({ minimum: 0, maximum: 1000 }),
  /** Terminals are recorded. Both settings apply to an agent at its next start. */
  recording: Type.Boolean(),
  /** Record of all terminals of one agent, in MiB. */
  recordingMegabytes: Type.Integer({ minimum: 1, maximum: 256 }),
  /** Minutes without work and without anybody after which an agent is put to sleep, unless account or agent say otherwise; 0: never. */
  idleMinutes: IdleMinutes,
  /** What sandboxes of a cluster get where neither account nor agent say otherwise. Both apply at an agent's next start. */
  podDefaults: PodValues,
  podLimits: PodLimits,
});
export type SystemSettings = Static<typeof SystemSettings>;

/** What is different for one account; null: as the system's setting says. */
export const UserSettings = strict({
  agentsPerUser: nullable(SystemSettings.properties.agentsPerUser),
  idleMinutes: nullable(IdleMinutes),
  podDefaults: PodValues,
  podLimits: PodLimits,
});
export type UserSettings = Static<typeof UserSettings>;

/** Settings of one account, and what holds where they say nothing. */
const UserSettingsAnswer = strict({
  settings: UserSettings,
  inherited: Type.Pick(SystemSettings, ['agentsPerUser', 'idleMinutes', 'podDefaults', 'podLimits']),
});

export const settingRoutes = {
  getSettings: route({
    method: 'GET',
    path: '/api/admin/settings',
    access: 'admin',
    tag: 'Settings',
    status: 200,
    summary: 'System settings in force',
    response: SystemSettings,
  }),
  updateSettings: route({
    method: 'PATCH',
    path: '/api/admin/settings',
    access: 'admin',
    tag: 'Settings',
    status: 200,
    summary: 'Change system settings',
    body: Type.Partial(SystemSettings, { additionalProperties: false }),
    response: SystemSettings,
  }),
  getUserSettings: route({
    method: 'GET',
    path: '/api/admin/users/:userId/settings',
    access: 'admin',
    tag: 'Settings',
    status: 200,
    summary: 'What is different for one account',
    params: strict({ userId: Id }),
    response: UserSettingsAnswer,
    errors: ['not_found'],
  }),
  updateUserSettings: route({
    method: 'PATCH',
    path: '/api/admin/users/:userId/settings',
    access: 'admin',
    tag: 'Settings',
    status: 200,
    summary: 'Change what is different for one account',
    params: strict({ userId: Id }),
    body: Type.Partial(UserSettings, { additionalProperties: false }),
    response: UserSettingsAnswer,
    errors: ['not_found'],
  }),
} as const;
