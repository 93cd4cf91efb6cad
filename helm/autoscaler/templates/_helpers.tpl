{{- define "autoscaler.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 52 | trimSuffix "-" -}}
{{- end }}

{{- define "autoscaler.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "autoscaler.labels" -}}
{{ include "autoscaler.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "autoscaler.settings" -}}
{{- $lease := printf "%s/%s" .Release.Namespace (include "autoscaler.name" .) -}}
{{- $name := include "autoscaler.name" . }}
{{- $short := list $name (printf "%s.%s" $name .Release.Namespace) }}
{{- $hosts := concat $short (list (printf "%s.%s.svc" $name .Release.Namespace)) .Values.web.hosts }}
{{- $web := dict "tokens" "/etc/autoscaler/tokens/tokens" "hosts" $hosts "plain" .Values.web.plain | merge (ternary (dict "cluster" true) dict .Values.web.cluster) }}
{{- $policies := ternary (dict "git" (omit .Values.git "secret")) (dict "policies" (list "/etc/autoscaler/policies")) (not (empty .Values.git)) }}
{{- $github := ternary (dict "github" .Values.github) dict (not (empty .Values.github)) }}
{{- dict "web" $web "kubernetes" (dict "lease" $lease "events" .Values.rights.events) "prometheus" .Values.prometheus "cycle" .Values.cycle "data" "/var/lib/autoscaler" "listen" "0.0.0.0:8730" "log" "json" | merge $policies $github | toYaml -}}
{{- end }}
