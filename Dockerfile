# docker build --tag aliyun-task-exporter .
# docker run --publish 10977:10977 --volume "$PWD/config.yaml:/config.yaml:ro" aliyun-task-exporter --config.file /config.yaml
#
# With state.path: /var/lib/aliyun-task-exporter/state.redb, add --volume aliyun-task-exporter:/var/lib/aliyun-task-exporter
#
# From source, for the platform that it is built on; or, with PROGRAM=released, from what `make packages` has put into
# target/packages/image, for every platform at once:
#
# docker buildx build --build-arg PROGRAM=released --platform linux/amd64,linux/arm64 .

ARG PROGRAM=source
# glibc and nothing else: no shell, no package manager. Root certificates are compiled in.
ARG BASE=gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f

FROM rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS source
WORKDIR /build
ARG REVISION=
COPY . .
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# The caches keep downloads and compiled crates between image builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin aliyun-task-exporter \
 && install -D target/release/aliyun-task-exporter /image/aliyun-task-exporter \
 && python3 deploy/packages/notices.py "$(rustc -vV | sed -n 's/^host: //p')" >/image/THIRD-PARTY-NOTICES \
 && cp LICENSE /image \
 && mkdir /image/state

FROM scratch AS released
ARG TARGETARCH
COPY target/packages/image/${TARGETARCH} /image

# hadolint ignore=DL3006
FROM ${PROGRAM} AS program

# hadolint ignore=DL3006
FROM ${BASE}
ARG VERSION=
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="aliyun-task-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server command runs" \
      org.opencontainers.image.vendor="aliyun-task-exporter" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.url="https://github.com/aliyun-task-exporter/aliyun-task-exporter" \
      org.opencontainers.image.documentation="https://github.com/aliyun-task-exporter/aliyun-task-exporter/blob/main/docs/install.md" \
      org.opencontainers.image.source="https://github.com/aliyun-task-exporter/aliyun-task-exporter" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=program /image/LICENSE /image/THIRD-PARTY-NOTICES /usr/share/doc/aliyun-task-exporter/
COPY --from=program /image/aliyun-task-exporter /aliyun-task-exporter
# A fresh volume takes its owner from here.
COPY --from=program --chown=65532:65532 /image/state /var/lib/aliyun-task-exporter
USER 65532:65532
EXPOSE 10977
# Follows the variables of the exporter, not its arguments: set ALIYUN_TASK_EXPORTER_WEB_LISTEN_ADDRESS rather than
# --web.listen-address.
HEALTHCHECK --interval=30s --timeout=10s --start-period=45s CMD ["/aliyun-task-exporter", "healthcheck"]
ENTRYPOINT ["/aliyun-task-exporter"]
