import { describe, expect, it } from 'vitest';
import { checkAgentUid, checkInstallId, claimNameOf, objectName, podHostOf, podNameOf, shardOf } from './names.ts';

const LONGEST_ID = '9223372036854775807';
const isLabel = (name: string): boolean => name.length <= 63 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/.test(name);

describe('names of cluster objects', () => {
  it('are DNS labels for the longest ids there are', () => {
    const name = objectName({ userId: LONGEST_ID, agentId: LONGEST_ID });
    expect(name.length).toBeLessThanOrEqual(52);
    for (const each of [name, podNameOf(name), claimNameOf(name)]) expect(isLabel(each), each).toBe(true);
  });

  it('never meet: other ids, another name', () => {
    const ids = ['1', '2', '11', '12', '21', '111', '112', '121', LONGEST_ID];
    const names = ids.flatMap((userId) => ids.map((agentId) => objectName({ userId, agentId })));
    expect(new Set(names).size).toBe(ids.length ** 2);
  });

  it.each(['', '0', '01', '-1', '1-1', '1.5', 'a', '1 ', '../1', '1'.repeat(20)])('refuse the id %j', (id) => {
    expect(() => objectName({ userId: id, agentId: '1' })).toThrow('user id');
    expect(() => objectName({ userId: '1', agentId: id })).toThrow('agent id');
  });

  it('say where the pod is found', () => {
    expect(podHostOf(objectName({ userId: '3', agentId: '14' }), 'sac-agents-0', 'cluster.local')).toBe(
      'claude-code-3-14-0.claude-code-3-14.sac-agents-0.svc.cluster.local',
    );
  });
});

describe('uids and installation ids', () => {
  it.each(['../escape', 'a/b', '', '-a', 'a-', 'x'.repeat(64)])('refuse %j', (text) => {
    expect(() => checkAgentUid(text)).toThrow('agent uid');
    expect(() => checkInstallId(text)).toThrow('installation id');
  });

  it('take a uuid', () => {
    expect(checkAgentUid('0f0e0d0c-0b0a-4908-8706-050403020100')).toContain('0f0e');
    expect(checkInstallId('0f0e0d0c-0b0a-4908-8706-050403020100')).toContain('0f0e');
  });
});

describe('the namespace of an agent', () => {
  const agents = Array.from({ length: 2_000 }, (_, index) => String(index + 1));

  it('is one of the list, the same at every call, and all have their share', () => {
    const counts = new Map<string, number>();
    for (const agent of agents) {
      const namespace = shardOf(agent, ['a', 'b', 'c', 'd']);
      expect(shardOf(agent, ['d', 'c', 'b', 'a'])).toBe(namespace);
      counts.set(namespace, (counts.get(namespace) ?? 0) + 1);
    }
    expect([...counts.values()].every((count) => count > 400 && count < 600)).toBe(true);
  });

  it('changes only to a namespace that was added', () => {
    for (const agent of agents) {
      const after = shardOf(agent, ['a', 'b', 'c']);
      expect([shardOf(agent, ['a', 'b']), 'c']).toContain(after);
    }
  });

  it('needs a list', () => expect(() => shardOf('1', [])).toThrow('No namespace'));
});
