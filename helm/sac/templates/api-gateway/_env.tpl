{{- define "sac.apiGatewayEnv" -}}
- { name: SAC_PUBLIC_URL, value: {{ .Values.publicUrl | quote }} }
{{- with include "sac.trustedProxies" . | fromJsonArray }}
- { name: SAC_TRUSTED_PROXIES, value: {{ join "," . | quote }} }
{{- end }}
- { name: SAC_LOG_LEVEL, value: {{ .Values.logLevel | quote }} }
- { name: SAC_DATABASE_URL_FILE, value: /run/secrets/sac/database/url }
- { name: SAC_DATABASE_POOL, value: {{ .Values.database.poolSize | quote }} }
- { name: SAC_UPLOADS_SIZE, value: {{ .Values.apiGateway.uploadsSize | quote }} }
- { name: SAC_DATABASE_WAIT_SECONDS, value: {{ .Values.apiGateway.databaseWaitSeconds | quote }} }
- { name: SAC_MASTER_KEY_FILE, value: /run/secrets/sac/keys/master-key }
- { name: SAC_ACCESS_TOKEN_KEYS_FILE, value: /run/secrets/sac/keys/access-token-keys }
- { name: SAC_TERMINAL_TICKET_KEYS_FILE, value: /run/secrets/sac/keys/terminal-ticket-keys }
- { name: SAC_WS_PROXY_CREDENTIAL_FILE, value: /run/secrets/sac/keys/ws-proxy-credential }
- name: SAC_INSTALL_ID
  valueFrom: { secretKeyRef: { name: {{ include "sac.keysSecret" . }}, key: install-id } }
- name: SAC_POD_IP
  valueFrom: { fieldRef: { fieldPath: status.podIP } }
- { name: SAC_INTERNAL_URL, value: {{ include "sac.internalUrl" . | quote }} }
- { name: SAC_CLUSTER_DOMAIN, value: {{ .Values.clusterDomain | quote }} }
- { name: SAC_KUBERNETES_NAMESPACES, value: {{ include "sac.agentNamespaces" . | fromJsonArray | join "," | quote }} }
- { name: SAC_AGENT_IMAGE, value: {{ include "sac.image" (dict "root" $ "name" "sac-agent" "override" .Values.agents.image) | quote }} }
{{- with .Values.agents.pullSecrets }}
- { name: SAC_AGENT_IMAGE_PULL_SECRETS, value: {{ join "," . | quote }} }
{{- end }}
- { name: SAC_AGENT_CLIS, value: {{ join "," .Values.agents.clis | quote }} }
- { name: SAC_AGENT_POD, value: {{ include "sac.agentPod" . | quote }} }
- { name: SAC_AGENT_LIMITS, value: {{ include "sac.agentLimits" . | quote }} }
{{- with .Values.agents.images }}
- { name: SAC_AGENT_IMAGES, value: {{ join "," . | quote }} }
{{- end }}
{{- with .Values.agents.runtimeClasses }}
- { name: SAC_AGENT_RUNTIME_CLASSES, value: {{ join "," . | quote }} }
{{- end }}
- { name: SAC_OUTBOUND_DENY, value: {{ concat .Values.agents.egress.blockedCidrs .Values.agents.egress.clusterCidrs | join "," | quote }} }
{{- with concat .Values.agents.egress.modelEndpoints .Values.agents.egress.proxies }}
{{- $cidrs := list }}
{{- range . }}{{ $cidrs = append $cidrs .cidr }}{{ end }}
- { name: SAC_OUTBOUND_ALLOW, value: {{ $cidrs | uniq | join "," | quote }} }
{{- end }}
- { name: SAC_ALLOW_UNISOLATED, value: {{ .Values.agents.allowUnisolated | ternary "1" "0" | quote }} }
{{- with .Values.apiGateway.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What sandboxes and ws-proxy dial. */}}
{{- define "sac.internalUrl" -}}
http://{{ include "sac.apiGatewayInternal" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:8082
{{- end -}}

{{/* An amount as text; YAML makes numbers of 4 and of 1073741824. */}}
{{- define "sac.amount" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ int64 . }}{{ end -}}
{{- end -}}

{{- define "sac.amounts" -}}
{{- $amounts := dict -}}
{{- range $name, $amount := . }}{{ $_ := set $amounts $name (include "sac.amount" $amount) }}{{ end -}}
{{- toJson $amounts -}}
{{- end -}}

{{/* The most one agent may get, as JSON. */}}
{{- define "sac.agentLimits" -}}
{{- $choices := dict "none" 0 "proxy" 1 "internet" 2 -}}
{{- with .Values.agents -}}
{{- if gt (index $choices .egress.default) (index $choices .limits.egress) -}}
{{- fail (printf "agents.egress.default is %s, which agents.limits.egress does not allow: it is %s" .egress.default .limits.egress) -}}
{{- end -}}
{{- dict
  "cpu" (include "sac.amount" .limits.cpu)
  "memory" (include "sac.amount" .limits.memory)
  "storage" (include "sac.amount" .limits.storage)
  "egress" .limits.egress
  | toJson -}}
{{- end -}}
{{- end -}}

{{/* The form of sandbox pods, as JSON; see docs/configure-cluster.md. */}}
{{- define "sac.agentPod" -}}
{{- $agents := .Values.agents -}}
{{- dict
  "resources" (dict
    "requests" (include "sac.amounts" ($agents.resources.requests | default dict) | fromJson)
    "limits" (include "sac.amounts" ($agents.resources.limits | default dict) | fromJson))
  "nodeSelector" $agents.nodeSelector
  "tolerations" $agents.tolerations
  "priorityClassName" $agents.priorityClassName
  "runtimeClassName" $agents.runtimeClassName
  "storageClass" $agents.storage.className
  "storageSize" (include "sac.amount" $agents.storage.size)
  "imagePullPolicy" .Values.image.pullPolicy
  "egress" $agents.egress.default
  | toJson -}}
{{- end -}}
