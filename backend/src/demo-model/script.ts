/**
 * The language of the scripted model. A prompt may hold directives `[[name: argument]]`; each action is one
 * model turn, in order, then the answer ends. Prompts in plain words are turned into directives first.
 *
 *   [[bash: echo hi]]               run a command             [[say: text]]     text before the next action
 *   [[write: path | content]]       write a file              [[think: text]]   thinking before what follows
 *   [[read: path]]                  read a file               [[final: text]]   the closing words
 *   [[agent: prompt]]               sub-agent; inside write   [[slow: N ms]]    closing words: N words, one per ms
 *                                   ((bash: x))               [[hang]]          start the answer, never finish
 *   [[ask: Question? | A | B]]      ask the person            [[status: 529]]   answer with this HTTP error
 *   [[plan: text]]                  leave plan mode           [[max_tokens]]    stop for length
 *   [[tool: Name {"json":"input"}]] any tool
 */
export interface Directive {
  readonly name: string;
  readonly argument: string;
}

export interface ScriptTurn {
  readonly before: readonly Directive[];
  readonly action: Directive;
}

export interface Script {
  readonly turns: readonly ScriptTurn[];
  /** `say` and `think` with no action after them: they precede the closing words. */
  readonly closing: readonly Directive[];
  readonly final: string | null;
  /** Closing words of so many words, one every `wordMs`. */
  readonly slow: { readonly words: number; readonly wordMs: number } | null;
  readonly hang: boolean;
  readonly maxTokens: boolean;
}

const DIRECTIVE = /\[\[(\w+)(?::\s*([\s\S]*?))?\]\]/g;
const MODIFIERS = new Set(['say', 'think']);
const OPTIONS = new Set(['final', 'slow', 'hang', 'max_tokens']);
const MAX_DIRECTIVES = 100;

export function parseDirectives(prompt: string): Directive[] {
  return [...prompt.matchAll(DIRECTIVE)]
    .slice(0, MAX_DIRECTIVES)
    .map(([, name = '', argument = '']) => ({ name: name.toLowerCase(), argument: argument.trim() }));
}

export function parseScript(directives: readonly Directive[]): Script {
  const turns: ScriptTurn[] = [];
  const option = new Map<string, string>();
  let before: Directive[] = [];
  for (const directive of directives) {
    if (MODIFIERS.has(directive.name)) before.push(directive);
    else if (OPTIONS.has(directive.name)) option.set(directive.name, directive.argument);
    else {
      turns.push({ before, action: directive });
      before = [];
    }
  }
  return {
    turns,
    closing: before,
    final: option.get('final') ?? null,
    slow: option.has('slow') ? parseSlow(option.get('slow') ?? '') : null,
    hang: option.has('hang'),
    maxTokens: option.has('max_tokens'),
  };
}

function parseSlow(argument: string): { words: number; wordMs: number } {
  const [words, wordMs] = argument.split(/\s+/).map(Number);
  return { words: clamp(words, 20, 10_000), wordMs: clamp(wordMs, 100, 10_000) };
}

const clamp = (value: number | undefined, otherwise: number, max: number): number =>
  value !== undefined && Number.isFinite(value) && value > 0 ? Math.min(value, max) : otherwise;

const RETRY_TS = `export interface RetryPolicy {
  readonly attempts: number;
  readonly delayMs: number;
}

export const retry = async <T>(policy: RetryPolicy, work: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= policy.attempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, policy.delayMs * 2 ** attempt));
    }
  }
};`;

/** A small piece of work with everything a person wants to see once: words, a file, a command, a slow answer. */
const tour: readonly Directive[] = [
  {
    name: 'say',
    argument: "Retries live in three private methods. I'll move them to retry.ts and keep the callers as they are.",
  },
  { name: 'write', argument: `src/payments/retry.ts | ${RETRY_TS}` },
  { name: 'say', argument: 'Now a look at the result.' },
  { name: 'bash', argument: 'wc -l src/payments/*.ts && node --version' },
  { name: 'say', argument: 'The policy is data now, so tests can set it. I am going through the callers one by one.' },
  { name: 'slow', argument: '60 250' },
];

interface Phrase {
  readonly pattern: RegExp;
  readonly directives: (...groups: string[]) => readonly Directive[];
}

/** Prompts in plain words that the demo understands, so that nobody has to learn the directives first. */
const phrases: readonly Phrase[] = [
  {
    pattern:
      /\b(?:create|write|make)\s+(?:a\s+|the\s+)?file\s+(?:called\s+|named\s+)?[`"']?([\w./-]+)[`"']?(?:\s+(?:with|containing|that says)(?:\s+the\s+(?:text|content))?:?\s+([\s\S]+))?/i,
    directives: (path, content) => [
      { name: 'say', argument: `I'll write ${path}.` },
      {
        name: 'write',
        argument: `${path} | ${(content ?? '').trim().replace(/^["'`]|["'`.]$/g, '') || 'Written by the demo model.'}`,
      },
      { name: 'final', argument: `Done: ${path} is in the workspace.` },
    ],
  },
  {
    pattern: /\b(?:run|execute)\s+(?:the\s+command\s+)?[`"']([^`"'\n]+)[`"']/i,
    directives: (command) => [{ name: 'bash', argument: command ?? '' }],
  },
  {
    pattern: /\b(?:list|show)\b[^.\n]*\bfiles\b/i,
    directives: () => [{ name: 'bash', argument: 'ls -la' }],
  },
  {
    pattern: /\bread\s+(?:the\s+)?(?:file\s+)?[`"']?([\w./-]+\.\w+)[`"']?/i,
    directives: (path) => [{ name: 'read', argument: path ?? '' }],
  },
  {
    pattern: /\b(?:show me what you can do|move the retry logic)\b/i,
    directives: () => tour,
  },
  {
    pattern: /\b(?:count|think) slowly\b/i,
    directives: () => [{ name: 'slow', argument: '60 250' }],
  },
];

/** Directives of a prompt: those written in it, else those of the first phrase it matches, else none. */
export function scriptOf(prompt: string): Script {
  const written = parseDirectives(prompt);
  if (written.length > 0) return parseScript(written);
  for (const { pattern, directives } of phrases) {
    const match = pattern.exec(prompt);
    if (match) return parseScript(directives(...match.slice(1)));
  }
  return parseScript([]);
}
