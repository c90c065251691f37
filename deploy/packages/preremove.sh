#!/bin/sh
# dpkg calls it with what it is about to do; rpm with how many will be left.
set -e
case "$1" in
    remove | 0) ;;
    *) exit 0 ;;
esac
command -v systemctl >/dev/null || exit 0
if [ -d /run/systemd/system ]; then
    systemctl stop aliyun-task-exporter.service || true
fi
systemctl --no-reload disable aliyun-task-exporter.service || true
