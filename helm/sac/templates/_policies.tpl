{{/* Parts of NetworkPolicies. Everything in a list under `from` or `to` is allowed; an empty policy allows nothing. */}}

{{/* Pods of a component of this release, as one peer: dict root, component. */}}
{{- define "sac.peer" -}}
- namespaceSelector:
    matchLabels: { kubernetes.io/metadata.name: {{ .root.Release.Namespace }} }
  podSelector:
    matchLabels:
      {{- include "sac.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* Everything in the agents' namespaces, as one peer. */}}
{{- define "sac.agentsPeer" -}}
- namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values: {{ include "sac.agentNamespaces" . }}
{{- end -}}

{{/* One rule of egress: DNS. */}}
{{- define "sac.toDns" -}}
- to:
    {{- toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{/* One rule of egress: the database. */}}
{{- define "sac.toDatabase" -}}
{{- if .Values.trial.postgresql.enabled }}
- to:
    {{- include "sac.peer" (dict "root" $ "component" "postgresql") | nindent 4 }}
  ports:
    - { protocol: TCP, port: 5432 }
{{- else }}
- to:
    {{- toYaml .Values.networkPolicy.database | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.databasePorts }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}
{{- end -}}

{{/* One rule of egress: the API server. */}}
{{- define "sac.toApiServer" -}}
- to:
    {{- toYaml .Values.networkPolicy.apiServer | nindent 4 }}
  ports:
    {{- range .Values.networkPolicy.apiServerPorts }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end -}}

{{/* Rules of egress: the internet, which is everything but the ranges that are blocked. */}}
{{- define "sac.toInternet" -}}
{{- $v4 := list }}
{{- $v6 := list }}
{{- range concat .Values.agents.egress.blockedCidrs .Values.agents.egress.clusterCidrs }}
{{- if contains ":" . }}{{ $v6 = append $v6 . }}{{ else }}{{ $v4 = append $v4 . }}{{ end }}
{{- end }}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        except: {{ $v4 | uniq | toJson }}
    - ipBlock:
        cidr: ::/0
        except: {{ $v6 | uniq | toJson }}
  {{- with .Values.agents.egress.ports }}
  ports:
    {{- range . }}
    - { protocol: TCP, port: {{ . }} }
    - { protocol: UDP, port: {{ . }} }
    {{- end }}
  {{- end }}
{{- end -}}

{{/* Rules of egress from a list of `{cidr, ports}`. */}}
{{- define "sac.toEndpoints" -}}
{{- range . }}
- to:
    - ipBlock: { cidr: {{ .cidr | quote }} }
  ports:
    {{- range .ports }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- end }}
{{- end -}}

{{/* Rules of egress: model servers that every agent reaches. */}}
{{- define "sac.toModels" -}}
{{- include "sac.toEndpoints" .Values.agents.egress.modelEndpoints }}
{{- if .Values.trial.demoModel.enabled }}
- to:
    {{- include "sac.peer" (dict "root" $ "component" "demo-model") | nindent 4 }}
  ports:
    - { protocol: TCP, port: 8090 }
{{- end }}
{{- end -}}

{{/* Head of a policy for one component of the release: dict root, component, name; hook and weight for one that hooks need. */}}
{{- define "sac.policyHead" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include (empty .hook | ternary "sac.metadata" "sac.hookMetadata") . | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "sac.selectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/* Whose X-Forwarded-For api-gateway and ws-proxy believe. Where the frontend is the single entrance and policies let nobody else in, that is its
pods, wherever they are: it replaces what visitors write there by the one address it sees. */}}
{{- define "sac.trustedProxies" -}}
{{- $proxies := .Values.trustedProxies }}
{{- if and (eq .Values.routing.type "none") .Values.networkPolicy.enabled }}
{{- $proxies = concat $proxies (list "10.0.0.0/8" "172.16.0.0/12" "192.168.0.0/16" "100.64.0.0/10" "fc00::/7") }}
{{- end }}
{{- $proxies | toJson }}
{{- end -}}
