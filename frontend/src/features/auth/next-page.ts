/** Where to go after signing in: a path of this site, never another address. */
export const nextPage = (query: unknown): string => {
  if (typeof query !== 'string' || !query.startsWith('/') || query.startsWith('//') || query.startsWith('/\\'))
    return '/';
  return query.startsWith('/sign-in') ? '/' : query;
};
