import type { Agent, Capabilities } from '@sac/contracts';
import { inject, provide, type ComputedRef, type InjectionKey, type Ref } from 'vue';
import type { EditorForm } from './form-model.ts';

/** What the sections of the editor share. */
export interface EditorContext {
  /** Reactive; the sections write into it. */
  readonly form: EditorForm;
  /** The agent that is edited; null for a new one. */
  readonly agent: Agent | null;
  readonly capabilities: Capabilities;
  readonly busy: Readonly<Ref<boolean>>;
  /** The sentence to show at a field, or null. */
  readonly problemOf: (field: string) => string | null;
  /** Whether any shown problem lies at or below this field: `environment`, `proxy`. */
  readonly hasProblemBelow: (prefix: string) => boolean;
  /** The field was left: from now on its problem is shown. */
  readonly touch: (field: string) => void;
  /** Problem-free as far as the provider is concerned, shown or not. */
  readonly providerIsValid: ComputedRef<boolean>;
}

const key: InjectionKey<EditorContext> = Symbol('agent editor');

export const provideEditor = (context: EditorContext): void => provide(key, context);

export const useEditor = (): EditorContext => {
  const context = inject(key);
  if (!context) throw new Error('A section of the agent editor stands outside of it.');
  return context;
};
