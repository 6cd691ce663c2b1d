{{/* Without a name: the Job and, where the database comes with the release, an init container use it. */}}
{{- define "sac.migrateContainer" -}}
image: {{ include "sac.image" (dict "root" $ "name" "sac-api-gateway" "override" .Values.apiGateway.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [node, /opt/sac/backend/migrate.js]
env:
  - { name: SAC_DATABASE_URL_FILE, value: /run/secrets/sac/database/url }
  - { name: SAC_DATABASE_WAIT_SECONDS, value: {{ .Values.migrate.databaseWaitSeconds | quote }} }
{{- with .Values.migrate.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "sac.containerSecurity" . | nindent 2 }}
volumeMounts:
  - { name: database, mountPath: /run/secrets/sac/database, readOnly: true }
  - { name: tmp, mountPath: /tmp }
{{- end -}}

{{- define "sac.databaseVolume" -}}
- name: database
  secret:
    secretName: {{ include "sac.databaseSecret" . }}
    defaultMode: 0440
    items:
      - { key: {{ include "sac.databaseSecretKey" . }}, path: url }
{{- end -}}
