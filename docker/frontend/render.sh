#!/bin/sh
# render.sh TEMPLATES TARGET: writes nginx.conf and security-headers.conf for the variables of docs/configure-cluster.md.
set -eu
templates=$1
target=$2

fail() {
  printf '%s\n' "$1" >&2
  exit 1
}
# What gets into the configuration has these characters and no others, so nothing has to be quoted.
check() {
  case $2 in
    *[!A-Za-z0-9.:/,_[\]-]*) fail "$1 has characters that an address does not have." ;;
  esac
}
[ -n "${SAC_PUBLIC_URL:-}" ] || fail 'SAC_PUBLIC_URL is missing: the addresses people open, separated by commas.'
public=$(printf '%s' "$SAC_PUBLIC_URL" | tr -d ' ')
proxies=$(printf '%s' "${SAC_TRUSTED_PROXIES:-}" | tr -d ' ')
api=${SAC_API_UPSTREAM:-}
ws=${SAC_WS_UPSTREAM:-}
check SAC_PUBLIC_URL "$public"
check SAC_TRUSTED_PROXIES "$proxies"
check SAC_API_UPSTREAM "$api"
check SAC_WS_UPSTREAM "$ws"

sockets=''
transport='max-age=31536000'
for origin in $(printf '%s' "$public" | tr ',' ' '); do
  origin=${origin%/}
  case $origin in
    https://*) sockets="$sockets wss://${origin#https://}" ;;
    http://*) sockets="$sockets ws://${origin#http://}" transport='' ;;
    *) fail "SAC_PUBLIC_URL must hold http:// or https:// addresses; $origin is none." ;;
  esac
done
[ "$proxies" != '' ] && real=$(
  for range in $(printf '%s' "$proxies" | tr ',' ' '); do printf '  set_real_ip_from %s;\\n' "$range"; done
  printf '  real_ip_header X-Forwarded-For;\\n  real_ip_recursive on;'
) || real=''

# route LOCATION UPSTREAM CONNECTION TIMEOUT MORE; headers of the answers are those of the upstream
route() {
  printf '    location ^~ %s {\\n      proxy_pass http://%s;\\n      proxy_http_version 1.1;\\n' "$1" "$2"
  printf '      proxy_set_header Host $http_host;\\n      proxy_set_header X-Forwarded-For $remote_addr;\\n'
  printf '      proxy_set_header Connection "%s";\\n%s' "$3" "$5"
  printf '      proxy_buffering off;\\n      proxy_request_buffering off;\\n'
  printf '      proxy_read_timeout %s;\\n      proxy_send_timeout %s;\\n    }\\n' "$4" "$4"
}
# A quarter of an hour: uploads and the event stream say something far more often. Terminals have no limit here.
routes=$(
  if [ "$api" != '' ]; then route /api/ "$api" '' 900s ''; fi
  if [ "$ws" != '' ]; then route /ws/ "$ws" upgrade 90000s '      proxy_set_header Upgrade $http_upgrade;\n'; fi
)

umask 077
sed -e "s|@SOCKET_SOURCES@|${sockets# }|" -e "s|@TRANSPORT_SECURITY@|$transport|" "$templates/security-headers.conf" >"$target/security-headers.conf"
sed -e "s|@REAL_ADDRESS@|$real|" -e "s|@ROUTES@|$routes|" -e "s|include /tmp/|include $target/|" "$templates/nginx.conf" >"$target/nginx.conf"
