#!/bin/sh
# Before the files are unpacked, some of which belong to this user.
set -e
name=aliyun-task-exporter
getent group "$name" >/dev/null || groupadd --system "$name"
getent passwd "$name" >/dev/null || useradd --system --gid "$name" --home-dir "/var/lib/$name" --no-create-home \
    --shell /usr/sbin/nologin --comment "Prometheus exporter for Alibaba Cloud" "$name"
