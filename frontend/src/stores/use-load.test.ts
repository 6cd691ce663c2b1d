import { describe, expect, it } from 'vitest';
import { useLoad } from './use-load.ts';

const deferred = () => {
  const asked: ((answer: string) => void)[] = [];
  const fetch = () => new Promise<string>((resolve) => asked.push(resolve));
  return { asked, fetch };
};

describe('useLoad', () => {
  it('asks once for all who want it at the same time', async () => {
    const { asked, fetch } = deferred();
    const taken: string[] = [];
    const { load, loading } = useLoad(fetch, (answer) => taken.push(answer));
    const both = Promise.all([load(), load()]);
    expect([asked.length, loading.value]).toEqual([1, true]);
    asked[0]?.('a');
    await both;
    expect([taken, loading.value]).toEqual([['a'], false]);
  });

  it('takes no answer that was asked for before it was told to forget', async () => {
    const { asked, fetch } = deferred();
    const taken: string[] = [];
    const { load, forget } = useLoad(fetch, (answer) => taken.push(answer));
    const first = load();
    forget();
    const second = load();
    asked[0]?.('of who was here before');
    asked[1]?.('mine');
    await Promise.all([first, second]);
    expect(taken).toEqual(['mine']);
  });

  it('keeps why it failed until it works', async () => {
    let fails = true;
    const { load, error, loading } = useLoad(
      () => (fails ? Promise.reject(new Error('down')) : Promise.resolve('up')),
      () => undefined,
    );
    await load();
    expect([error.value?.message, loading.value]).toEqual(['down', false]);
    fails = false;
    await load();
    expect(error.value).toBeNull();
  });
});
