import { expect, it } from 'vitest';
import { controlClient } from './control.ts';
import { MachineFault } from './fault.ts';

it('says what to do when the server that should be there does not answer', async () => {
  const asked = controlClient('/tmp/sac-nobody-listens-here.sock').status();
  await expect(asked).rejects.toBeInstanceOf(MachineFault);
  await expect(asked).rejects.toThrow(/does not answer \(ENOENT\)\.\n.*try again/);
});
