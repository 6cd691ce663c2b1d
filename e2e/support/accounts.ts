/** Rights by resource: `statefulsets.apps` -> sorted verbs. */
export type Grants = Readonly<Record<string, readonly string[]>>;

const verbsOf = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .filter((verb) => verb !== '')
    .sort();

/** Grants in the table of docs/cluster-accounts.md, by `account where`. Rights to single named objects are left out: no list shows them apart. */
export const rowsOf = (markdown: string): ReadonlyMap<string, Grants> => {
  const grants = new Map<string, Record<string, string[]>>();
  for (const line of markdown.split('\n')) {
    const [account = '', where = '', resources = '', verbs = ''] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim());
    if (!/^(agents|release)$/.test(where) || resources.includes('(')) continue;
    const key = `${account} ${where}`;
    const entry = grants.get(key) ?? {};
    for (const resource of resources.split(',')) entry[resource.trim()] = verbsOf(verbs);
    grants.set(key, entry);
  }
  return grants;
};

/** What everybody who is signed in to the API server may do, in any cluster. */
const forEveryone = /^(selfsubject(access|rules)?reviews|selfsubjectreviews)\.|^\[|^$/;

/** The output of `kubectl auth can-i --list --no-headers`: resource, URLs, names, verbs. */
export const grantsOf = (said: string): Grants => {
  const grants: Record<string, string[]> = {};
  for (const line of said.split('\n')) {
    const [resource = ''] = line.split(/\s/, 1);
    if (forEveryone.test(resource)) continue;
    const [, names = '', verbs = ''] = /\[[^\]]*\]\s+\[([^\]]*)\]\s+\[([^\]]*)\]/.exec(line) ?? [];
    grants[names === '' ? resource : `${resource} ${names}`] = verbsOf(verbs);
  }
  return grants;
};
