{{/* Host names of the site, as a JSON list: routing.hostnames, else those of publicUrl that are names. */}}
{{- define "sac.hostnames" -}}
{{- $names := .Values.routing.hostnames -}}
{{- if not $names -}}
{{- range splitList "," .Values.publicUrl -}}
{{- $names = append $names (get (urlParse (trim .)) "hostname") -}}
{{- end -}}
{{- end -}}
{{- $names | uniq | toJson -}}
{{- end -}}
