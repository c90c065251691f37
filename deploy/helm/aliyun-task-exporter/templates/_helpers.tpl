{{/* Names, labels. */}}
{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "exporter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "exporter.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporter.labels" -}}
{{ include "exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "exporter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "exporter.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "exporter.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The Secret that is mounted as credentials, or nothing. */}}
{{- define "exporter.credentials" -}}
{{- if .Values.credentials.existingSecret -}}
{{- .Values.credentials.existingSecret -}}
{{- else if .Values.credentials.secretData -}}
{{- printf "%s-credentials" (include "exporter.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* The Secret with the web configuration file, or nothing. */}}
{{- define "exporter.webConfig" -}}
{{- if .Values.webConfig.existingSecret -}}
{{- .Values.webConfig.existingSecret -}}
{{- else if .Values.webConfig.content -}}
{{- printf "%s-web" (include "exporter.fullname" .) -}}
{{- end -}}
{{- end -}}

{{/* "true" if the port speaks TLS. */}}
{{- define "exporter.https" -}}
{{- if or .Values.webConfig.https (hasKey .Values.webConfig.content "tls_server_config") -}}true{{- end -}}
{{- end -}}

{{/* Where the pods can be reached one by one. */}}
{{- define "exporter.pods" -}}
{{- printf "%s-pods" (include "exporter.fullname" .) -}}
{{- end -}}

{{/* The Secret that a standby shows. */}}
{{- define "exporter.standbySecret" -}}
{{- default (printf "%s-standby" (include "exporter.fullname" .)) .Values.standbySecret -}}
{{- end -}}

{{/* Which of two pods polls. */}}
{{- define "exporter.lease" -}}
name: {{ include "exporter.fullname" . }}
url: {{ ternary "https" "http" (eq (include "exporter.https" .) "true") }}://${POD_NAME}.{{ include "exporter.pods" . }}.{{ .Release.Namespace }}:10977
secret: file:/etc/aliyun-task-exporter/standby/state-secret
{{- if .Values.webConfig.tlsSecret }}
ca_file: /etc/aliyun-task-exporter/web/ca.crt
{{- end }}
{{- with ((.Values.config.state).lease).duration }}
duration: {{ . }}
{{- end }}
{{- end -}}

{{/* Where an account that names no credentials takes them. */}}
{{- define "exporter.accountCredentials" -}}
{{- if .Values.rrsa.roleName -}}
provider: oidc
{{- else if include "exporter.credentials" . -}}
provider: access_key
access_key_id: file:/etc/aliyun-task-exporter/credentials/access-key-id
access_key_secret: file:/etc/aliyun-task-exporter/credentials/access-key-secret
{{- else -}}
provider: default
{{- end -}}
{{- end -}}

{{/* The configuration, with what the chart adds. */}}
{{- define "exporter.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $accounts := default (list (dict "name" "default")) $config.accounts -}}
{{- range $accounts -}}
{{- if not .credentials -}}
{{- $_ := set . "credentials" (include "exporter.accountCredentials" $ | fromYaml) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $config "accounts" $accounts -}}
{{- $state := default dict $config.state -}}
{{- if and .Values.persistence.enabled .Values.persistence.existingClaim -}}
{{- /* The pods may share it. */ -}}
{{- $_ := set $state "folder" "/var/lib/aliyun-task-exporter" -}}
{{- $_ := set $state "wait" true -}}
{{- else -}}
{{- $_ := set $state "path" "/var/lib/aliyun-task-exporter/state.redb" -}}
{{- end -}}
{{- $_ := set $config "state" $state -}}
{{- if .Values.standby -}}
{{- $_ := set $state "lease" (include "exporter.lease" . | fromYaml) -}}
{{- end -}}
{{- if include "exporter.webConfig" . -}}
{{- $web := default dict $config.web -}}
{{- $_ := set $web "open_health" true -}}
{{- $_ := set $config "web" $web -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* "true" if an account may ask the metadata server of ECS. */}}
{{- define "exporter.metadataServer" -}}
{{- if not .Values.demo -}}
{{- range (include "exporter.config" . | fromYaml).accounts -}}
{{- if has (default "default" .credentials.provider) (list "default" "ecs_ram_role") -}}true{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Secrets that would be in the ConfigMap. The schema could refuse them too, but would print them. */}}
{{- define "exporter.validateSecrets" -}}
{{- range default list .Values.config.accounts -}}
{{- $credentials := default dict .credentials -}}
{{- $proxy := default dict .proxy -}}
{{- $secrets := dict "access_key_secret" $credentials.access_key_secret "security_token" $credentials.security_token -}}
{{- range $key, $value := set $secrets "proxy.password" $proxy.password -}}
{{- if and $value (not (regexMatch `^(\$\{\w+\}|file:/.+)$` (toString $value))) -}}
{{- fail (printf "config.accounts: %s must be file:/… or \"${NAME}\", because a ConfigMap holds no secrets" $key) -}}
{{- end -}}
{{- end -}}
{{- if contains "@" (toString $proxy.url) -}}
{{- fail "config.accounts: proxy.url must not have a password; that is proxy.password" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Values that do not go together. */}}
{{- define "exporter.validate" -}}
{{- include "exporter.validateSecrets" . -}}
{{- $web := default dict .Values.config.web -}}
{{- if .Values.demo -}}
{{- if .Values.config -}}{{- fail "demo: true polls a simulated cloud: remove config" -}}{{- end -}}
{{- if or (include "exporter.credentials" .) .Values.rrsa.roleName -}}
{{- fail "demo: true needs no credentials: remove credentials and rrsa" -}}
{{- end -}}
{{- if include "exporter.webConfig" . -}}{{- fail "demo: true knows no webConfig: remove it" -}}{{- end -}}
{{- if gt (int .Values.shards) 1 -}}{{- fail "demo: true is one process: remove shards" -}}{{- end -}}
{{- else if not (or .Values.config.ehpc .Values.config.swas) -}}
{{- fail "there is nothing to poll: set config.ehpc or config.swas, or demo: true to try a simulated cloud" -}}
{{- end -}}
{{- if and (include "exporter.credentials" .) .Values.rrsa.roleName -}}
{{- fail "credentials and rrsa.roleName are both set: remove one" -}}
{{- end -}}
{{- if and .Values.credentials.existingSecret .Values.credentials.secretData -}}
{{- fail "credentials.existingSecret and credentials.secretData are both set: remove one" -}}
{{- end -}}
{{- range list "path" "folder" -}}
{{- if get (default dict $.Values.config.state) . -}}
{{- fail (printf "config.state.%s is set by the chart: see persistence" .) -}}
{{- end -}}
{{- end -}}
{{- $state := default dict .Values.config.state -}}
{{- if or (not .Values.standby | and $state.lease) (omit (default dict $state.lease) "duration") -}}
{{- fail "config.state.lease is set by standby, except for its duration: remove the rest" -}}
{{- end -}}
{{- if and .Values.standby $state.wait -}}
{{- fail "standby gives each pod a state of its own: remove config.state.wait" -}}
{{- end -}}
{{- if and .Values.standby .Values.demo -}}
{{- fail "demo: true polls a simulated cloud of its own: remove standby" -}}
{{- end -}}
{{- if and .Values.standby (gt (int .Values.shards) 1) -}}
{{- fail "standby and shards are both set: one Lease decides for one process, so install a release with standby for each part, or remove one" -}}
{{- end -}}
{{- if and .Values.standby .Values.persistence.existingClaim -}}
{{- fail "standby needs a volume for each pod: remove persistence.existingClaim" -}}
{{- end -}}
{{- if and .Values.standbySecret (not .Values.standby) -}}
{{- fail "standbySecret is set but not used: set standby" -}}
{{- end -}}
{{- if and .Values.webConfig.existingSecret .Values.webConfig.content -}}
{{- fail "webConfig.existingSecret and webConfig.content are both set: remove one" -}}
{{- end -}}
{{- if and .Values.webConfig.tlsSecret (not (include "exporter.https" .)) -}}
{{- fail "webConfig.tlsSecret is set but not used: give webConfig.content a tls_server_config, or set webConfig.https" -}}
{{- end -}}
{{- if and (or .Values.webConfig.https .Values.webConfig.tlsSecret) (not (include "exporter.webConfig" .)) -}}
{{- fail "webConfig.https and webConfig.tlsSecret need webConfig.existingSecret or webConfig.content" -}}
{{- end -}}
{{- if and (include "exporter.webConfig" .) (hasKey $web "open_health") (not $web.open_health) -}}
{{- fail "config.web.open_health: false would lock the probes out behind webConfig: remove it" -}}
{{- end -}}
{{- if and (not .Values.serviceAccount.create) .Values.rrsa.roleName -}}
{{- fail "rrsa.roleName annotates the service account: serviceAccount.create must be true" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not (or .Values.networkPolicy.namespaces .Values.networkPolicy.from)) -}}
{{- fail "networkPolicy would lock Prometheus out: set networkPolicy.namespaces or networkPolicy.from" -}}
{{- end -}}
{{- end -}}
