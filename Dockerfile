# docker build --tag aliyun-task-exporter .
# docker run --publish 10977:10977 --volume "$PWD/config.yaml:/config.yaml:ro" aliyun-task-exporter --config.file /config.yaml
#
# With state.path, mount a volume owned by user 65532 (docs/configuration.md, "state").
#
# The image contains only the program and the three C libraries it needs; root certificates are compiled in.

FROM rust:1.95-bookworm AS build
WORKDIR /build
ARG REVISION=
COPY . .
# The caches keep downloads and compiled crates between image builds.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin aliyun-task-exporter \
 && install -D target/release/aliyun-task-exporter /image/aliyun-task-exporter
# `ldd` lists the libraries and the loader, each at the path where the program looks for it.
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN ldd /image/aliyun-task-exporter | grep -o '/[^ ]*' | xargs -I{} cp --parents --dereference {} /image

FROM scratch
ARG REVISION=
LABEL org.opencontainers.image.title="aliyun-task-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Alibaba Cloud E-HPC tasks and commands, and Simple Application Server command runs" \
      org.opencontainers.image.source="https://github.com/aliyun-task-exporter/aliyun-task-exporter" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
USER 65532:65532
EXPOSE 10977
ENTRYPOINT ["/aliyun-task-exporter"]
