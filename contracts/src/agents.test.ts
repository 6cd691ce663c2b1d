import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { ModelProvider } from './agents.ts';

const withModel = (main: string): unknown => ({
  preset: 'custom',
  protocol: 'gemini',
  baseUrl: 'https://models.example',
  models: { main, strong: null, small: null },
});

describe('the name of a model', () => {
  it.each(['claude-sonnet-5', 'qwen/qwen3-coder:free', 'modèle', '@cf/meta/llama'])('may be %s', (name) => {
    expect(Value.Check(ModelProvider, withModel(name))).toBe(true);
  });

  it.each(['--yolo', '-p', 'a b', 'a\nb', '\u001b[0m', ''])('is no option and no control character: %j', (name) => {
    expect(Value.Check(ModelProvider, withModel(name))).toBe(false);
  });
});
