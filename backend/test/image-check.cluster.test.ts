import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { root } from '../../scripts/bundles.ts';
import { AGENT_IMAGE } from './cluster.ts';

const check = (image: string) => {
  const args = ['--kubernetes', '-n', 'default', image];
  const { status, stdout, stderr } = spawnSync(join(root, 'scripts/sac-image-check'), args, { encoding: 'utf8' });
  return { status, stdout, stderr };
};

describe('sac-image-check', () => {
  it('finds every clause met by the image of the product', () => {
    const { status, stdout } = check(AGENT_IMAGE);
    expect(stdout).not.toContain('FAIL');
    expect(stdout).toContain('claude.exe runs');
    expect(status).toBe(0);
  });

  it('names what another image does not have', () => {
    const { status, stdout } = check('busybox');
    expect(stdout.match(/ {2}FAIL {2}.*/g)?.map((line) => line.trim().split(/ +/)[1])).toEqual(
      expect.arrayContaining(['bash:', 'node:', 'tini:', 'program:', 'terminals:', 'CLI:', 'git:']),
    );
    expect(status).toBe(1);
  });

  it('says when an image cannot be had', () => {
    const { status, stderr } = check('sac-agent:no-such-tag');
    expect(stderr).toContain('does not start');
    expect(status).toBe(2);
  });
});
