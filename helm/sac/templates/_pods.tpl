{{/* What all pods of the chart have in common. The argument is `dict "root" $ "component" "api-gateway"`. */}}
{{- define "sac.selectorLabels" -}}
app.kubernetes.io/name: sac
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "sac.labels" -}}
{{ include "sac.selectorLabels" . }}
app.kubernetes.io/part-of: sac
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "sac.metadata" -}}
name: {{ .name }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "sac.labels" . | nindent 2 }}
{{- end -}}

{{/* user: the uid of the image; everything passes Pod Security "restricted". */}}
{{- define "sac.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user | default 10001 }}
runAsGroup: {{ .user | default 10001 }}
fsGroup: {{ .user | default 10001 }}
# Once, not at every start: PostgreSQL refuses a directory that its group may write.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "sac.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "sac.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* Where pods go: values is the block of the component. */}}
{{- define "sac.scheduling" -}}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{/* Replicas on different nodes and in different zones where there are such; never a reason not to start. */}}
{{- define "sac.spread" -}}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    matchLabelKeys: [pod-template-hash]
    labelSelector:
      matchLabels:
        {{- include "sac.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end -}}

{{/* Of long-running pods: dict root, component, values, name. The caller adds containers and volumes. */}}
{{- define "sac.deploymentHead" -}}
{{- if not .values.autoscaling.enabled }}
replicas: {{ .values.replicas }}
{{- end }}
revisionHistoryLimit: 3
strategy:
  type: RollingUpdate
  rollingUpdate:
    maxSurge: 1
    # Never fewer than there were: connections of an ending pod go to one that is ready.
    maxUnavailable: 0
selector:
  matchLabels:
    {{- include "sac.selectorLabels" . | nindent 4 }}
{{- end -}}

{{- define "sac.podHead" -}}
serviceAccountName: {{ .name }}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .values.terminationGracePeriodSeconds }}
securityContext:
  {{- include "sac.podSecurity" . | nindent 2 }}
{{- include "sac.pullSecrets" .root }}
{{- with include "sac.scheduling" . | trim }}
{{ . }}
{{- end }}
{{ include "sac.spread" . }}
{{- end -}}

{{- define "sac.podMetadata" -}}
labels:
  {{- include "sac.labels" . | nindent 2 }}
{{- with .values.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/*
Three probes on one listener: dict live, ready (paths), port, startSeconds (default 60: so long it may take until it listens). Live asks the
process alone, ready what it needs.
*/}}
{{- define "sac.probes" -}}
startupProbe:
  httpGet: { path: {{ .live }}, port: {{ .port }} }
  periodSeconds: 1
  failureThreshold: {{ .startSeconds | default 60 }}
livenessProbe:
  httpGet: { path: {{ .live }}, port: {{ .port }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: {{ .ready }}, port: {{ .port }} }
  periodSeconds: 3
  timeoutSeconds: 3
  failureThreshold: 2
{{- end -}}

{{/* PodDisruptionBudget of a component: dict root, component, name. */}}
{{- define "sac.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "sac.metadata" . | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "sac.selectorLabels" . | nindent 6 }}
{{- end -}}

{{/* HorizontalPodAutoscaler of a component: dict root, component, name, values. */}}
{{- define "sac.hpa" -}}
{{- if .values.autoscaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "sac.metadata" . | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ .name }}
  minReplicas: {{ .values.autoscaling.minReplicas }}
  maxReplicas: {{ .values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .values.autoscaling.targetCpuPercent }}
  behavior:
    scaleDown:
      # Each pod that goes moves the connections it holds.
      stabilizationWindowSeconds: 900
{{- end }}
{{- end -}}

{{/* A ServiceAccount: dict root, component, name, token (whether pods get its token). */}}
{{- define "sac.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "sac.metadata" . | nindent 2 }}
automountServiceAccountToken: {{ .token }}
{{- end -}}
