#!/bin/sh
set -eu
/bin/sh /opt/sac/render.sh /opt/sac /tmp
nginx -c /tmp/nginx.conf -e stderr &
pid=$!
# So long it takes until a cluster sends nobody here any more; then what is open gets its time (worker_shutdown_timeout).
trap 'sleep 5; kill -QUIT "$pid" 2>/dev/null' TERM INT
while kill -0 "$pid" 2>/dev/null; do wait "$pid" || status=$?; done
exit "${status:-0}"
