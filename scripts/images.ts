/**
 * Builds and pushes the product's images with docker, podman or buildah, whichever is there.
 *
 * node scripts/images.ts build|push
 *
 * ENGINE=podman     that one
 * REGISTRY=registry.example.org/team   put before the names; needed for push
 * IMAGES="sac-agent sac-frontend"      those only
 * AGENT_CLIS="claude-code codex"       CLIs in the image of sandboxes
 * KEEP_VERSION=1    build does not raise the patch version
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const ALL = ['sac-agent', 'sac-api-gateway', 'sac-ws-proxy', 'sac-frontend'];
const ENGINES = ['docker', 'podman', 'buildah'];

const setting = (name: string): string => (process.env[name] ?? '').trim();

// What OCI's own format cannot say, such as HEALTHCHECK, Docker's can. Podman may be called docker, so no flag says it.
const env = { ...process.env, BUILDAH_FORMAT: 'docker', BUILDAH_LAYERS: 'true' };

const run = (program: string, args: readonly string[]): void => {
  const { status, error } = spawnSync(program, args, { cwd: root, env, stdio: 'inherit' });
  if (error !== undefined) throw new Error(`${program} did not run: ${error.message}`);
  if (status !== 0) throw new Error(`${program} ${args.slice(0, 4).join(' ')} … ended with ${String(status)}.`);
};

const findEngine = (): string => {
  const wished = setting('ENGINE');
  const candidates = wished === '' ? ENGINES : [wished];
  // Unlike --version this asks Docker's daemon too.
  const found = candidates.find((name) => spawnSync(name, ['version'], { stdio: 'ignore' }).status === 0);
  if (found === undefined)
    throw new Error(`Needed is ${candidates.join(' or ')}: not on the PATH, or without a daemon.`);
  return found;
};

const imagesWished = (): string[] => {
  const names = setting('IMAGES') === '' ? ALL : setting('IMAGES').split(/[\s,]+/);
  const unknown = names.find((name) => !ALL.includes(name));
  if (unknown !== undefined) throw new Error(`There is no image ${unknown}; there are ${ALL.join(', ')}.`);
  return names;
};

const versionNow = (): string => readFileSync(join(root, '.version'), 'utf8').trim();
const tagOf = (name: string): string => {
  const registry = setting('REGISTRY').replace(/\/$/, '');
  return `${registry === '' ? '' : `${registry}/`}${name}:${versionNow()}`;
};

const build = (engine: string): void => {
  const names = imagesWished();
  if (setting('KEEP_VERSION') === '') run(process.execPath, ['scripts/version-bump.ts', 'patch']);
  const clis = setting('AGENT_CLIS');
  for (const name of names) {
    run(engine, [
      'build',
      ...['--tag', tagOf(name), '--file', `docker/${name.replace(/^sac-/, '')}/Dockerfile`],
      ...['--build-arg', `VERSION=${versionNow()}`],
      ...(name === 'sac-agent' && clis !== '' ? ['--build-arg', `CLIS=${clis}`] : []),
      '.',
    ]);
    process.stdout.write(`built ${tagOf(name)}\n`);
  }
};

const push = (engine: string): void => {
  if (setting('REGISTRY') === '')
    throw new Error('Say where to push to, for example: make docker-push REGISTRY=registry.example.org/team');
  for (const name of imagesWished()) {
    run(engine, ['push', tagOf(name)]);
    process.stdout.write(`pushed ${tagOf(name)}\n`);
  }
};

try {
  const [verb] = process.argv.slice(2);
  if (verb !== 'build' && verb !== 'push') throw new Error('Usage: node scripts/images.ts build|push');
  (verb === 'build' ? build : push)(findEngine());
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
