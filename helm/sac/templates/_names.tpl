{{/* Every name of the chart comes from here. */}}
{{- define "sac.fullname" -}}
{{- $name := .Values.fullnameOverride | default (contains "sac" .Release.Name | ternary .Release.Name (printf "%s-sac" .Release.Name)) -}}
{{- if gt (len $name) 40 -}}
{{- fail (printf "The name %q has %d characters; at most 40 leave room for the names made from it. Choose a shorter release name or set fullnameOverride." $name (len $name)) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "sac.apiGateway" -}}{{ include "sac.fullname" . }}-api-gateway{{- end -}}
{{- define "sac.apiGatewayInternal" -}}{{ include "sac.fullname" . }}-api-gateway-internal{{- end -}}
{{- define "sac.wsProxy" -}}{{ include "sac.fullname" . }}-ws-proxy{{- end -}}
{{- define "sac.frontend" -}}{{ include "sac.fullname" . }}-frontend{{- end -}}
{{- define "sac.migrate" -}}{{ include "sac.fullname" . }}-migrate{{- end -}}
{{- define "sac.makeSecrets" -}}{{ include "sac.fullname" . }}-make-secrets{{- end -}}
{{- define "sac.endAgents" -}}{{ include "sac.fullname" . }}-end-agents{{- end -}}
{{- define "sac.postgresql" -}}{{ include "sac.fullname" . }}-postgresql{{- end -}}
{{- define "sac.minio" -}}{{ include "sac.fullname" . }}-minio{{- end -}}
{{- define "sac.demoModel" -}}{{ include "sac.fullname" . }}-demo-model{{- end -}}

{{/* The Secret with the keys: yours, or the one the pre-install Job makes. */}}
{{- define "sac.keysSecret" -}}
{{- .Values.keys.existingSecret | default (printf "%s-keys" (include "sac.fullname" .)) -}}
{{- end -}}

{{/* The Secret with the address of the database, and the key in it. */}}
{{- define "sac.databaseSecret" -}}
{{- if .Values.trial.postgresql.enabled -}}
{{- if .Values.database.existingSecret -}}
{{- fail "Set either database.existingSecret or trial.postgresql.enabled, not both: there is one database." -}}
{{- end -}}
{{- include "sac.postgresql" . -}}
{{- else -}}
{{- .Values.database.existingSecret | required "Set database.existingSecret to the name of a Secret that holds the database's address, or trial.postgresql.enabled=true for a database to try things out." -}}
{{- end -}}
{{- end -}}
{{- define "sac.databaseSecretKey" -}}
{{- .Values.trial.postgresql.enabled | ternary "url" .Values.database.key -}}
{{- end -}}

{{/* Namespaces of the agents, as a JSON list: {prefix}-0, {prefix}-1, … */}}
{{- define "sac.agentNamespaces" -}}
{{- $prefix := .Values.agents.namespacePrefix | default (printf "%s-agents" .Release.Namespace) -}}
{{- if gt (len $prefix) 58 -}}
{{- fail (printf "The prefix %q of the agents' namespaces has %d characters, at most 58 leave room for their numbers. Set agents.namespacePrefix." $prefix (len $prefix)) -}}
{{- end -}}
{{- $names := list -}}
{{- range $shard := until (int .Values.agents.shards) -}}
{{- $names = append $names (printf "%s-%d" $prefix $shard) -}}
{{- end -}}
{{- $names | toJson -}}
{{- end -}}

{{/* image: dict root, name (of the image), override (a full reference or empty) */}}
{{- define "sac.image" -}}
{{- if .override -}}
{{- .override -}}
{{- else -}}
{{- $registry := .root.Values.image.registry -}}
{{- printf "%s%s:%s" ($registry | empty | ternary "" (printf "%s/" (trimSuffix "/" $registry))) .name (.root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
