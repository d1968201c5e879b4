# The image of the DaemonSet: the runtime of `npm run package`, and what its agent needs to reach the node (nsenter).
#
#   docker build -t pnx-volume:0.1.0 .
#   buildah bud -t pnx-volume:0.1.0 .
#   docker buildx build --platform linux/amd64,linux/arm64 -t registry.example/pnx-volume:0.1.0 --push .
#
# The runtime is built for the platform that the stage runs on, so every platform builds its own, under QEMU where it is not
# the machine's. Both bases can come from a mirror: --build-arg NODE_IMAGE=..., --build-arg DEBIAN_IMAGE=...

ARG NODE_IMAGE=docker.io/library/node:24-bookworm-slim
# What node:24-bookworm-slim is itself made from: the runtime brings its own Node.js, so the image needs neither that one nor npm.
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
# libfuse, fusermount3 and chattr go into the runtime, each with its licence.
RUN apt-get update -q \
	&& apt-get install -y -q --no-install-recommends fuse3 e2fsprogs \
	&& rm -rf /var/lib/apt/lists/*
# The npm packages of the lock file. No install script runs (.npmrc) but that of `node`, which fetches the pinned Node.js.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --loglevel=error && npm rebuild node --ignore-scripts=false --loglevel=error
COPY LICENSE ./
COPY scripts/package scripts/bundle.js scripts/
COPY driver driver
COPY src src
RUN sh scripts/package /build && rm /build/*.tar.gz && mv /build/pnx-volume-* /build/runtime

FROM ${DEBIAN_IMAGE} AS image
LABEL org.opencontainers.image.title="pnx-volume" \
	org.opencontainers.image.description="FlexVolume driver and FUSE daemon: a shared POSIX directory for pods with a plain S3 bucket behind it" \
	org.opencontainers.image.version="0.1.0" \
	org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /build/runtime /opt/pnx-volume-image
# No USER: the agent writes into directories of the node that belong to root, and enters the node's namespaces, which only root
# may. What needs neither runs as anybody: the manifest of the S3 server for trying out says `runAsUser: 65532`.
ENTRYPOINT ["/opt/pnx-volume-image/bin/pnx-volume"]
CMD ["agent"]
