import type { ProviderPreset } from './providers.ts';

/** `null` leaves the choice of the model to the CLI: its own defaults are the provider's current names. */
const cliDefaults = { main: null, strong: null, small: null } as const;
const onlyModel = (name: string) => ({ main: name, strong: null, small: null });

/**
 * Model providers with the endpoints their own documentation states. `custom` is no preset: there the person
 * gives protocol and address. A name changed by a provider is corrected in the agent; nothing depends on this list.
 *
 * A comment beside `source` says how the address was checked: "read there" when a stored copy of that very page
 * shows it, else where it was read. None was tried with a real key.
 */
export const providerPresets: readonly ProviderPreset[] = [
  {
    id: 'anthropic',
    name: 'Anthropic',
    hint: 'Claude models from the Claude API',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://api.anthropic.com',
        // Not in a stored copy; it is the address Claude Code uses without a setting, and many clients default to it.
        source: 'https://platform.claude.com/docs/en/api/overview',
        models: cliDefaults,
      },
    ],
  },
  {
    id: 'openrouter',
    name: 'OpenRouter',
    hint: 'Many models behind one key',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://openrouter.ai/api',
        // The stored copy is cut before the address; setup guides that quote this page give it.
        source: 'https://openrouter.ai/docs/guides/coding-agents/claude-code-integration',
        models: cliDefaults,
      },
      {
        protocol: 'openai-responses',
        baseUrl: 'https://openrouter.ai/api/v1',
        // Read there, with the model.
        source: 'https://openrouter.ai/docs/guides/coding-agents/codex-cli',
        models: onlyModel('openai/gpt-5.3-codex'),
      },
    ],
  },
  {
    id: 'glm',
    name: 'GLM (Z.ai)',
    hint: 'GLM models, international endpoint',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://api.z.ai/api/anthropic',
        // No stored copy of this page; notes that summarise it give the address.
        source: 'https://docs.z.ai/devpack/tool/claude',
        models: cliDefaults,
      },
    ],
  },
  {
    id: 'glm-cn',
    name: 'GLM (BigModel)',
    hint: 'GLM models, endpoint in mainland China',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://open.bigmodel.cn/api/anthropic',
        // Read there.
        source: 'https://docs.bigmodel.cn/cn/coding-plan/tool',
        models: cliDefaults,
      },
    ],
  },
  {
    id: 'qwen',
    name: 'Qwen (Model Studio)',
    hint: 'Qwen models from Alibaba Cloud, international endpoint',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://dashscope-intl.aliyuncs.com/apps/anthropic',
        // Read there, with the models. Newer pages prefer a host per workspace and say that this one stays.
        source: 'https://www.alibabacloud.com/help/en/model-studio/claude-code',
        models: { main: 'qwen3.5-plus', strong: 'qwen3-max', small: 'qwen-flash' },
      },
    ],
  },
  {
    id: 'qwen-cn',
    name: 'Qwen (Bailian)',
    hint: 'Qwen models from Alibaba Cloud, endpoint in mainland China',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://dashscope.aliyuncs.com/apps/anthropic',
        // Read there; the main model is named by a newer version of the page.
        source: 'https://help.aliyun.com/zh/model-studio/anthropic-api-messages',
        models: { main: 'qwen3.7-plus', strong: 'qwen3-max', small: 'qwen-flash' },
      },
    ],
  },
  {
    id: 'kimi',
    name: 'Kimi (Moonshot)',
    hint: 'Kimi models, international endpoint',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://api.moonshot.ai/anthropic',
        // No stored copy of a page of the provider; others quote its API overview (platform.kimi.ai/docs/api/overview).
        source: 'https://platform.moonshot.ai/docs/guide/agent-support',
        models: { main: 'kimi-k2.5', strong: 'kimi-k2.5', small: 'kimi-k2.5' },
      },
    ],
  },
  {
    id: 'kimi-cn',
    name: 'Kimi (Moonshot China)',
    hint: 'Kimi models, endpoint in mainland China',
    endpoints: [
      {
        protocol: 'anthropic',
        baseUrl: 'https://api.moonshot.cn/anthropic',
        // No stored copy of a page of the provider; users in its forum and setup guides give the address.
        source: 'https://platform.moonshot.cn/docs/guide/agent-support',
        models: { main: 'kimi-k2.5', strong: 'kimi-k2.5', small: 'kimi-k2.5' },
      },
    ],
  },
  {
    id: 'openai',
    name: 'OpenAI',
    hint: 'GPT models through the Responses API',
    endpoints: [
      {
        protocol: 'openai-responses',
        baseUrl: 'https://api.openai.com/v1',
        // No stored copy of this page; docs/config.md of github.com/openai/codex gives the address.
        source: 'https://platform.openai.com/docs/api-reference/responses',
        models: cliDefaults,
      },
    ],
  },
  {
    id: 'gemini',
    name: 'Google Gemini',
    hint: 'Gemini models from the Gemini API',
    endpoints: [
      {
        protocol: 'gemini',
        baseUrl: 'https://generativelanguage.googleapis.com',
        // The stored copy names the methods; the host is the default of Google's own clients.
        source: 'https://ai.google.dev/api',
        models: cliDefaults,
      },
    ],
  },
];
