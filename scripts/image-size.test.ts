import { expect, it } from 'vitest';
import { imageSizeBytes } from './image-size.ts';

const listing = JSON.stringify([
  { names: null, size: '1 GB' },
  { names: ['localhost/sac-agent:1.2.3-test', 'localhost/other:1'], size: '1.09 GB' },
  { names: ['localhost/sac-frontend:1.2.3-test'], size: '80.5 MB' },
  { names: ['localhost/odd:1'], size: 'a lot' },
]);

it('reads the size of an image by the name it was built under', () => {
  expect(imageSizeBytes(listing, 'sac-agent:1.2.3-test')).toBe(1_090_000_000);
  expect(imageSizeBytes(listing, 'localhost/sac-frontend:1.2.3-test')).toBe(80_500_000);
});

it('says nothing where nothing is known', () => {
  for (const name of ['agent:1.2.3-test', 'sac-agent:1', 'odd:1']) expect(imageSizeBytes(listing, name)).toBeNull();
  for (const text of ['', '{}', 'no']) expect(imageSizeBytes(text, 'sac-agent:1.2.3-test')).toBeNull();
});
