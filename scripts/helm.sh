#!/bin/sh
# Helm with a clear word when it is missing, and what an uninstallation leaves.
#   scripts/helm.sh ARGUMENTS OF HELM
#   scripts/helm.sh leftovers RELEASE NAMESPACE
set -eu
if ! command -v helm >/dev/null 2>&1; then
  echo 'There is no helm on the PATH. Install Helm 3 (https://helm.sh/docs/intro/install) and run the command again.' >&2
  exit 1
fi
[ "${1:-}" = leftovers ] || exec helm "$@"
selector="app.kubernetes.io/name=sac,app.kubernetes.io/instance=$2"
command -v kubectl >/dev/null 2>&1 || exit 0
echo 'These stay, and are taken up by an installation of the same name (helm/sac/README.md says how to remove them):'
for namespace in $(kubectl get namespaces --selector "$selector" --output 'jsonpath={.items[*].metadata.name}'); do
  echo "  namespace $namespace, with $(kubectl --namespace "$namespace" get persistentvolumeclaims --no-headers 2>/dev/null | wc -l) volumes of agents"
done
kubectl --namespace "$3" get secrets,persistentvolumeclaims --selector "$selector" --no-headers --output name | sed 's/^/  /'
