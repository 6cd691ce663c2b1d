{{/* A trial database is not there before the installation: a Job beside everything else, which waits for it, makes its first schema. */}}
{{- define "sac.hasFirstMigrate" -}}
{{- if and .Values.trial.postgresql.enabled .Release.IsInstall }}true{{ end -}}
{{- end -}}
{{- define "sac.firstMigrate" -}}{{ include "sac.migrate" . }}-first{{- end -}}
{{- define "sac.migrateHook" -}}{{ .Values.trial.postgresql.enabled | ternary "pre-upgrade" "pre-install,pre-upgrade" }}{{- end -}}

{{/* Dict: root, component, name. */}}
{{- define "sac.migrateJobSpec" -}}
{{- $scope := . }}
{{- with .root -}}
backoffLimit: 2
activeDeadlineSeconds: {{ .Values.migrate.timeoutSeconds }}
template:
  metadata:
    labels:
      {{- include "sac.labels" $scope | nindent 6 }}
  spec:
    restartPolicy: Never
    automountServiceAccountToken: false
    enableServiceLinks: false
    securityContext:
      {{- include "sac.podSecurity" . | nindent 6 }}
    {{- include "sac.pullSecrets" . | nindent 4 }}
    {{- with include "sac.scheduling" (dict "values" .Values.apiGateway) | trim }}
    {{- . | nindent 4 }}
    {{- end }}
    containers:
      - name: migrate
        image: {{ include "sac.image" (dict "root" . "name" "sac-api-gateway" "override" .Values.apiGateway.image) }}
        imagePullPolicy: {{ .Values.image.pullPolicy }}
        command: [node, /opt/sac/backend/migrate.js]
        env:
          - { name: SAC_DATABASE_URL_FILE, value: /run/secrets/sac/database/url }
          - { name: SAC_DATABASE_WAIT_SECONDS, value: {{ .Values.migrate.databaseWaitSeconds | quote }} }
        {{- with .Values.migrate.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        securityContext:
          {{- include "sac.containerSecurity" . | nindent 10 }}
        volumeMounts:
          - { name: database, mountPath: /run/secrets/sac/database, readOnly: true }
          - { name: tmp, mountPath: /tmp }
    volumes:
      {{- include "sac.databaseVolume" . | nindent 6 }}
      - name: tmp
        emptyDir: { sizeLimit: 64Mi }
{{- end }}
{{- end -}}

{{- define "sac.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ include "sac.databaseSecret" . }}
    defaultMode: 0440
    items:
      - { key: {{ include "sac.databaseSecretKey" . }}, path: url }
{{- end -}}
