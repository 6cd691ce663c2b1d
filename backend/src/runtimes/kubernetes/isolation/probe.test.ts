import { describe, expect, it } from 'vitest';
import { labelNames } from '../objects/identity.ts';
import { plainParts } from '../testing/examples.ts';
import { parseOutcome, probeSetOf, type ProbeParts } from './probe.ts';

const parts: ProbeParts = {
  namespace: 'sac-agents-0',
  installId: 'example',
  image: plainParts.image,
  imagePullSecrets: [],
  internalUrl: plainParts.internalUrl,
  settings: plainParts.settings,
  run: 'one',
};

describe('the pods that try the isolation', () => {
  it.each(['internet', 'proxy', 'none'] as const)('have the rights of an agent with %s', (egress) => {
    const { template, selector } = probeSetOf({ ...parts, settings: { ...parts.settings, egress } }).spec!;
    expect(template.metadata?.labels?.[labelNames.egress]).toBe(egress);
    // A selector cannot be changed afterwards, and the choice can.
    expect(selector.matchLabels).not.toHaveProperty([labelNames.egress]);
  });

  it('are believed when they say all there is to say', () => {
    expect(parseOutcome('{"neighbour":false,"apiServer":false,"gateway":true}')).toMatchObject({ gateway: true });
    for (const text of [undefined, '', 'null', '{}', '{"neighbour":false,"apiServer":0,"gateway":true}'])
      expect(parseOutcome(text)).toBeNull();
  });
});
