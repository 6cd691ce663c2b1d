import {
  cliProtocols,
  podValueNames,
  type Agent,
  type Capabilities,
  type CliName,
  type CreateAgentBody,
  type EgressChoice,
  type ModelProvider,
  type PermissionMode,
  type PodValueName,
  type PodValues,
  type ProviderProtocol,
  type UpdateAgentBody,
} from '@sac/contracts';

export const CUSTOM_PRESET = 'custom';
export const DEMO_PRESET = 'demo';

export type Preset = Capabilities['presets'][number];
export type PresetEndpoint = Preset['endpoints'][number];

export interface ProviderForm {
  /** Id of a preset or `custom`; empty when the agent has no provider. */
  preset: string;
  protocol: ProviderProtocol | null;
  baseUrl: string;
  main: string;
  strong: string;
  small: string;
}

export interface EnvironmentRow {
  /** Identity for the list on screen; never leaves the page. */
  readonly key: number;
  name: string;
  value: string;
}

/** Everything a person can type in the editor. Texts are kept as typed and trimmed when they are sent. */
export interface EditorForm {
  name: string;
  icon: Agent['icon'];
  description: string;
  instructions: string;
  cli: CliName;
  permissionMode: PermissionMode;
  provider: ProviderForm;
  proxy: { httpProxy: string; httpsProxy: string; noProxy: string };
  environment: EnvironmentRow[];
  /** Empty: as the level above says. Kept, but neither shown nor sent, where agents do not run in a cluster. */
  pod: Record<PodValueName, string>;
  /** Empty: as the account's or the system's setting says. */
  idleMinutes: string;
  /** MiB. Empty: as the system's setting says. */
  recordingMegabytes: string;
  /** A new token; empty keeps the stored one. Never written to the draft. */
  providerToken: string;
  removeToken: boolean;
}

let lastRowKey = 0;
export const environmentRow = (name = '', value = ''): EnvironmentRow => ({ key: ++lastRowKey, name, value });

const noProvider = (): ProviderForm => ({ preset: '', protocol: null, baseUrl: '', main: '', strong: '', small: '' });

/** The endpoint of a preset that this CLI can talk to: the wanted protocol if it has it, else its first fitting one. */
export const endpointFor = (
  preset: Preset,
  cli: CliName,
  wanted: ProviderProtocol | null = null,
): PresetEndpoint | null => {
  const fitting = preset.endpoints.filter((endpoint) => cliProtocols[cli].includes(endpoint.protocol));
  return fitting.find((endpoint) => endpoint.protocol === wanted) ?? fitting[0] ?? null;
};

/** Presets with at least one endpoint that speaks a protocol of the CLI; the demo comes first where it exists. */
export const presetsFor = (presets: readonly Preset[], cli: CliName): Preset[] =>
  presets
    .filter((preset) => preset.id !== CUSTOM_PRESET && endpointFor(preset, cli) !== null)
    .sort((a, b) => Number(b.id === DEMO_PRESET) - Number(a.id === DEMO_PRESET));

export type ModelSlot = 'main' | 'strong' | 'small';
/** Which model names a CLI has a setting for; a field without effect would be a lie. */
const modelSlots: Record<CliName, readonly ModelSlot[]> = {
  'claude-code': ['main', 'strong', 'small'],
  codex: ['main'],
  gemini: ['main'],
  opencode: ['main', 'strong', 'small'],
  shell: [],
};
export const modelSlotsFor = (cli: CliName): readonly ModelSlot[] => modelSlots[cli];

/** Values of a preset for the given CLI; `custom` keeps what was typed. */
export const providerFromPreset = (
  presetId: string,
  presets: readonly Preset[],
  cli: CliName,
  before: ProviderForm,
): ProviderForm => {
  const protocols = cliProtocols[cli];
  if (protocols.length === 0) return noProvider();
  if (presetId === CUSTOM_PRESET) {
    const protocol = before.protocol && protocols.includes(before.protocol) ? before.protocol : (protocols[0] ?? null);
    return { ...before, preset: CUSTOM_PRESET, protocol };
  }
  const preset = presets.find((candidate) => candidate.id === presetId);
  const endpoint = preset && endpointFor(preset, cli, before.preset === presetId ? before.protocol : null);
  if (!endpoint) return { ...before, preset: presetId };
  return withEndpoint(presetId, endpoint, cli);
};

const withEndpoint = (presetId: string, endpoint: PresetEndpoint, cli: CliName): ProviderForm => {
  const slots = modelSlotsFor(cli);
  const model = (slot: ModelSlot): string => (slots.includes(slot) ? (endpoint.models[slot] ?? '') : '');
  return {
    preset: presetId,
    protocol: endpoint.protocol,
    baseUrl: endpoint.baseUrl,
    main: model('main'),
    strong: model('strong'),
    small: model('small'),
  };
};

/** Another protocol of the same preset: its URL and models come with it. */
export const providerWithProtocol = (
  provider: ProviderForm,
  protocol: ProviderProtocol,
  presets: readonly Preset[],
  cli: CliName,
): ProviderForm => {
  const preset = presets.find((candidate) => candidate.id === provider.preset);
  const endpoint = preset?.endpoints.find((candidate) => candidate.protocol === protocol);
  return endpoint ? withEndpoint(provider.preset, endpoint, cli) : { ...provider, protocol };
};

/** Another CLI: the provider stays when it speaks a protocol of the new CLI, else the first fitting preset takes over. */
export const withCli = (form: EditorForm, cli: CliName, presets: readonly Preset[]): EditorForm => {
  if (cli === form.cli) return form;
  if (cliProtocols[cli].length === 0) return { ...form, cli, provider: noProvider() };
  const fitting = presetsFor(presets, cli);
  const keep = form.provider.preset === CUSTOM_PRESET || fitting.some((preset) => preset.id === form.provider.preset);
  const sameProtocol = form.provider.protocol !== null && cliProtocols[cli].includes(form.provider.protocol);
  if (keep && sameProtocol) return { ...form, cli };
  const presetId = keep ? form.provider.preset : (fitting[0]?.id ?? CUSTOM_PRESET);
  return { ...form, cli, provider: providerFromPreset(presetId, presets, cli, form.provider) };
};

export const emptyForm = (presets: readonly Preset[], cli: CliName = 'claude-code'): EditorForm => {
  const presetId = presetsFor(presets, cli)[0]?.id ?? CUSTOM_PRESET;
  return {
    name: '',
    icon: 'terminal',
    description: '',
    instructions: '',
    cli,
    permissionMode: 'default',
    provider: providerFromPreset(presetId, presets, cli, noProvider()),
    proxy: { httpProxy: '', httpsProxy: '', noProxy: '' },
    environment: [],
    pod: podForm(null),
    idleMinutes: '',
    recordingMegabytes: '',
    providerToken: '',
    removeToken: false,
  };
};

/** What somebody may type for each value; texts, so that a half typed amount is kept. */
export const podForm = (values: PodValues | null): EditorForm['pod'] =>
  Object.fromEntries(podValueNames.map((name) => [name, values?.[name] ?? ''])) as EditorForm['pod'];

const providerForm = (provider: ModelProvider | null): ProviderForm =>
  provider === null
    ? noProvider()
    : {
        preset: provider.preset,
        protocol: provider.protocol,
        baseUrl: provider.baseUrl,
        main: provider.models.main ?? '',
        strong: provider.models.strong ?? '',
        small: provider.models.small ?? '',
      };

const numberText = (value: number | null): string => (value === null ? '' : String(value));
const numberOf = (text: string): number | null => (text.trim() === '' ? null : Number(text));

export const formFromAgent = (agent: Agent): EditorForm => ({
  name: agent.name,
  icon: agent.icon,
  description: agent.description,
  instructions: agent.instructions,
  cli: agent.cli,
  permissionMode: agent.permissionMode,
  provider: providerForm(agent.provider),
  proxy: {
    httpProxy: agent.proxy.httpProxy ?? '',
    httpsProxy: agent.proxy.httpsProxy ?? '',
    noProxy: agent.proxy.noProxy ?? '',
  },
  environment: agent.environment.map(({ name, value }) => environmentRow(name, value)),
  pod: podForm(agent.pod),
  idleMinutes: numberText(agent.idleMinutes),
  recordingMegabytes: numberText(agent.recordingMegabytes),
  providerToken: '',
  removeToken: false,
});

const orNull = (text: string): string | null => (text.trim() === '' ? null : text.trim());

/** The provider as it is sent; null for a CLI without one. */
export const providerBody = (form: EditorForm): ModelProvider | null => {
  const { preset, protocol, baseUrl, main, strong, small } = form.provider;
  if (cliProtocols[form.cli].length === 0 || preset === '' || protocol === null) return null;
  return {
    preset,
    protocol,
    baseUrl: baseUrl.trim(),
    models: { main: orNull(main), strong: orNull(strong), small: orNull(small) },
  };
};

export const podBody = ({ pod }: EditorForm): PodValues => ({
  cpuRequest: orNull(pod.cpuRequest),
  cpuLimit: orNull(pod.cpuLimit),
  memoryRequest: orNull(pod.memoryRequest),
  memoryLimit: orNull(pod.memoryLimit),
  storageSize: orNull(pod.storageSize),
  image: orNull(pod.image),
  egress: orNull(pod.egress) as EgressChoice | null, // chosen from the list of choices
  runtimeClass: orNull(pod.runtimeClass),
});

const isBlank = (row: EnvironmentRow): boolean => row.name.trim() === '' && row.value === '';

/** Rows that count, with their place in the form so that an error of the server finds its row again. */
export const sentEnvironment = (form: EditorForm): { row: EnvironmentRow; index: number }[] =>
  form.environment.map((row, index) => ({ row, index })).filter(({ row }) => !isBlank(row));

export const toCreateBody = (form: EditorForm): CreateAgentBody => {
  const token = form.providerToken.trim();
  return {
    name: form.name.trim(),
    icon: form.icon,
    description: form.description.trim(),
    instructions: form.instructions,
    cli: form.cli,
    permissionMode: form.permissionMode,
    provider: providerBody(form),
    proxy: {
      httpProxy: orNull(form.proxy.httpProxy),
      httpsProxy: orNull(form.proxy.httpsProxy),
      noProxy: orNull(form.proxy.noProxy),
    },
    pod: podBody(form),
    idleMinutes: numberOf(form.idleMinutes),
    recordingMegabytes: numberOf(form.recordingMegabytes),
    environment: sentEnvironment(form).map(({ row }) => ({ name: row.name.trim(), value: row.value })),
    ...(token === '' ? {} : { providerToken: token }),
  };
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Only what differs from `before`; an empty object when nothing does. */
export const toUpdateBody = (form: EditorForm, before: EditorForm): UpdateAgentBody => {
  const { providerToken, ...now } = toCreateBody(form);
  const { providerToken: _ignored, ...was } = toCreateBody(before);
  const changed = (Object.keys(now) as (keyof typeof now)[]).filter((field) => !same(now[field], was[field]));
  const body: UpdateAgentBody = Object.fromEntries(changed.map((field) => [field, now[field]]));
  if (providerToken !== undefined) body.providerToken = providerToken;
  else if (form.removeToken) body.providerToken = null;
  return body;
};

export const isDirty = (form: EditorForm, before: EditorForm): boolean =>
  form.providerToken !== '' || Object.keys(toUpdateBody(form, before)).length > 0;

/** Fields a running sandbox only reads when it starts. */
const appliedAtStart = [
  'cli',
  'permissionMode',
  'provider',
  'providerToken',
  'instructions',
  'environment',
  'proxy',
  'pod',
  'recordingMegabytes',
] as const;
export type AppliedAtStart = (typeof appliedAtStart)[number];
export const changesAppliedAtStart = (body: UpdateAgentBody): AppliedAtStart[] =>
  appliedAtStart.filter((field) => body[field] !== undefined);
