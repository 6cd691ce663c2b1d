{{/* Accounts and Jobs that exist only while a hook runs. dict root, component, name, hook. */}}
{{- define "sac.hookMetadata" -}}
{{ include "sac.metadata" . }}
annotations:
  helm.sh/hook: {{ .hook }}
  helm.sh/hook-weight: {{ .weight | quote }}
  helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end -}}

{{/* Binds a Role of the same name to the hook's account. */}}
{{- define "sac.hookRoleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "sac.hookMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ .name }}
subjects:
  - kind: ServiceAccount
    name: {{ .name }}
    namespace: {{ .root.Release.Namespace }}
{{- end -}}

{{/* A Job that runs chart-hook with `args` and may ask the API server. */}}
{{- define "sac.hookJob" -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "sac.hookMetadata" . | nindent 2 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 300
  template:
    metadata:
      labels:
        {{- include "sac.labels" . | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ .name }}
      enableServiceLinks: false
      securityContext:
        {{- include "sac.podSecurity" .root | nindent 8 }}
      {{- include "sac.pullSecrets" .root | nindent 6 }}
      {{- with include "sac.scheduling" (dict "values" .root.Values.apiGateway) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "sac.image" (dict "root" .root "name" "sac-api-gateway" "override" .root.Values.apiGateway.image) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          command: [node, /opt/sac/backend/chart-hook.js]
          args:
            {{- range .args }}
            - {{ . | quote }}
            {{- end }}
          resources:
            requests: { cpu: 50m, memory: 64Mi }
            limits: { memory: 256Mi }
          securityContext:
            {{- include "sac.containerSecurity" . | nindent 12 }}
{{- end -}}
