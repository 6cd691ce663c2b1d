import { expect, it } from 'vitest';
import { lostMount } from './lost-mount.ts';

it.each([
  [
    `bwrap: Can't bind mount /oldroot/ on /newroot/: Unable to apply mount flags: remount "/newroot/run/containers/1/rootfs": No such file or directory`,
    true,
  ],
  [`bwrap: Can't find source path /gone: No such file or directory`, false],
  ['bwrap: No permissions to create new namespace', false],
])('%s', (output, expected) => expect(lostMount(`a line before\n${output}\n`)).toBe(expected));
