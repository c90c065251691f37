#!/bin/sh
# dpkg calls it with `configure` and the version before, if there was one; rpm with how many are installed now.
set -e
unit=aliyun-task-exporter.service
config=/etc/aliyun-task-exporter/config.yaml

case "$1" in
    configure) format=deb before=$2 ;;
    1) format=rpm before= ;;
    2) format=rpm before=some ;;
    *) exit 0 ;;
esac

# Debian's way respects policy-rc.d, with which an administrator forbids services to start.
service() {
    if command -v deb-systemd-invoke >/dev/null; then
        deb-systemd-invoke "$1" "$unit"
    else
        systemctl "$1" "$unit"
    fi
}

is_running() { [ -d /run/systemd/system ]; }

command -v systemctl >/dev/null || exit 0
if is_running; then
    systemctl daemon-reload
fi
if [ -n "$before" ]; then
    if is_running; then
        service try-restart || true
    fi
elif [ "$format" = deb ] && /usr/bin/aliyun-task-exporter check --config.file "$config" >/dev/null 2>&1; then
    systemctl --no-reload enable "$unit"
    if is_running; then
        service start || true
    fi
else
    # On distributions of rpm, presets decide.
    if [ "$format" = rpm ]; then
        systemctl --no-reload preset "$unit" || true
    fi
    echo "To begin, say in $config what to poll, then: systemctl enable --now $unit"
fi
