/**
 * Whether bubblewrap gave up because a mount went away while it bound `/` with all that is mounted below: a container that
 * ended, a USB stick. The next try works.
 */
export const lostMount = (output: string): boolean =>
  /^bwrap: Can't bind mount .*No such file or directory/m.test(output);
