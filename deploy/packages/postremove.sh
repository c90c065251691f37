#!/bin/sh
# Removing keeps the configuration, the keys and the state; only dpkg can purge. The user stays: files elsewhere may belong
# to it, and its number must not go to another.
set -e
case "$1" in
    remove | purge | 0) ;;
    *) exit 0 ;;
esac
if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
    systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
    rm -rf /etc/aliyun-task-exporter /var/lib/aliyun-task-exporter
fi
